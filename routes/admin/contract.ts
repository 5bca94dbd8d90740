/** The contract of `/v1/admin/…`, as `/openapi.json` has it. */
import { createRoute, z } from "@hono/zod-openapi";
import { wholeNumber } from "../../options.ts";
import { errorAnswers } from "../schemas.ts";
import { sessionSchema } from "./commands.ts";
import { FOLDER_NAME, TAKES_NAME } from "./models.ts";

/** Where the admin routes are. */
export const ADMIN_FOLDER = "/v1/admin/";

const LONGEST_DRAIN_S = 3600;
const MOST_SESSIONS = 1000;
const SESSIONS = 100;

export const pageSchema = z.strictObject({
  limit: wholeNumber(1, MOST_SESSIONS).default(SESSIONS).openapi({
    type: "integer",
    minimum: 1,
    maximum: MOST_SESSIONS,
    default: SESSIONS,
  }),
  after: z.string().optional().openapi({ description: "`next` of the page before" }),
  key: z.string().optional().openapi({ description: "only those of the key of this name" }),
  model: z.string().optional().openapi({ description: "only those of this model" }),
});
export const drainSchema = z.strictObject({
  seconds: wholeNumber(1, LONGEST_DRAIN_S).optional().openapi({
    type: "integer",
    minimum: 1,
    maximum: LONGEST_DRAIN_S,
    description: "how long the stop may take; as --drain-timeout says by default",
  }),
});

export const loadSchema = z.strictObject({
  name: z.string().regex(FOLDER_NAME, TAKES_NAME).openapi({
    description: "a folder's name, not a path",
  }),
});
const modelLoadedSchema = z.object({
  id: z.string(),
  loaded: z.boolean().openapi({ description: "false if it was there already" }),
}).openapi("AdminModelLoaded");
const modelUnloadedSchema = z.object({
  id: z.string(),
  ended: z.int().openapi({ description: "streams that were ended for it" }),
}).openapi("AdminModelUnloaded");
export const unloadSchema = z.strictObject({
  end_streams: z.literal("1").optional().openapi({
    description: "ends its streams with 1013 first; without it, a model with streams stays",
  }),
});
const texts = z.array(z.string()).readonly();
const shownValue = z.union([z.string(), z.number(), z.boolean(), texts, z.null()]);
const json = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  description,
  content: { "application/json": { schema } },
});
const refusals = (...others: number[]) => errorAnswers(401, 403, 429, ...others);

export const list = createRoute({
  method: "get",
  path: `${ADMIN_FOLDER}sessions`,
  summary: "Sessions of all servers of this port, in the order of their ids",
  request: { query: pageSchema },
  responses: {
    200: json(
      "a page of sessions",
      z.object({
        object: z.literal("list"),
        data: z.array(sessionSchema),
        next: z.string().optional().openapi({ description: "`after` of the next page" }),
      }).openapi("AdminSessions"),
    ),
    ...refusals(422, 503),
  },
});
export const end = createRoute({
  method: "delete",
  path: `${ADMIN_FOLDER}sessions/{id}`,
  summary: "Ends a session for good, with its stored copy: its client is told 4403",
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: json("what it was", sessionSchema.pick({ id: true, state: true }).openapi("AdminEnded")),
    ...refusals(404, 503),
  },
});
export const drain = createRoute({
  method: "post",
  path: `${ADMIN_FOLDER}drain`,
  summary: "Stops all servers of this port, as SIGTERM does",
  request: { query: drainSchema },
  responses: {
    202: json(
      "they have begun to stop",
      z.object({ status: z.literal("draining"), within_seconds: z.int() }).openapi("AdminDrain"),
    ),
    ...refusals(422),
  },
});
export const reload = createRoute({
  method: "post",
  path: `${ADMIN_FOLDER}reload`,
  summary: "Reads --api-keys-file again, as SIGHUP does",
  responses: {
    200: json(
      "what has changed, by the names of keys",
      z.object({
        keys: z.int(),
        added: texts,
        removed: texts,
        changed: texts,
        ended: z.int().openapi({ description: "sessions that ended with their keys" }),
      }).openapi("AdminReload"),
    ),
    ...refusals(422, 503),
  },
});
export const load = createRoute({
  method: "post",
  path: `${ADMIN_FOLDER}models`,
  summary: "Loads the weights folder of this name, which lies beside the default model's",
  request: { query: loadSchema },
  responses: {
    200: json("it can be used", modelLoadedSchema),
    ...refusals(404, 409, 422, 503),
  },
});
export const unload = createRoute({
  method: "delete",
  path: `${ADMIN_FOLDER}models/{name}`,
  summary: "Unloads a model other than the default one",
  request: { params: z.object({ name: z.string() }), query: unloadSchema },
  responses: {
    200: json("it is gone", modelUnloadedSchema),
    ...refusals(404, 409, 422, 503),
  },
});
export const config = createRoute({
  method: "get",
  path: `${ADMIN_FOLDER}config`,
  summary: "The settings in force, and where each came from; without secrets",
  responses: {
    200: json(
      "the settings by their flags",
      z.object({
        version: z.string(),
        settings: z.record(
          z.string(),
          z.object({
            value: shownValue,
            from: z.enum(["flag", "environment", "default"]),
            given: shownValue.optional().openapi({
              description: "what was asked for, where something else is in force",
            }),
          }),
        ),
        keys: z.object({ count: z.int(), admins: z.array(z.string()) }),
      }).openapi("AdminConfig"),
    ),
    ...refusals(),
  },
});

/** All of them. */
export const ADMIN_ROUTES = [list, end, drain, reload, load, unload, config] as const;
