/** `/v1/admin/…`: what whoever runs the server may see and do, with a key that has this right. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { NamedFile } from "../../config/kinds.ts";
import type { SettingInForce } from "../../config/in_force.ts";
import { CpcError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { parseOptions, wholeNumber } from "../../options.ts";
import { VERSION } from "../../version.ts";
import { endsOf } from "../context.ts";
import type { Keys } from "../keys.ts";
import { errorAnswers } from "../schemas.ts";
import { type AskAll, type SessionRow, sessionSchema } from "./commands.ts";
import { FOLDER_NAME, TAKES_NAME } from "./models.ts";
import { reloadKeys } from "./reload.ts";

/** Where the admin routes are. */
export const ADMIN_FOLDER = "/v1/admin/";

/** What the admin routes need of the server. */
export interface AdminParts {
  readonly askAll: AskAll;
  /** Absent where no setting names one; then nobody is an administrator. */
  readonly keysFile?: NamedFile;
  /** Stops all servers as SIGTERM does, within so many seconds. */
  readonly drain: (withinS: number) => void;
  readonly drainTimeoutS: number;
  readonly settings: Readonly<Record<string, SettingInForce>>;
}

const LONGEST_DRAIN_S = 3600;
const MOST_SESSIONS = 1000;
const SESSIONS = 100;

const pageSchema = z.strictObject({
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
const drainSchema = z.strictObject({
  seconds: wholeNumber(1, LONGEST_DRAIN_S).optional().openapi({
    type: "integer",
    minimum: 1,
    maximum: LONGEST_DRAIN_S,
    description: "how long the stop may take; as --drain-timeout says by default",
  }),
});

const loadSchema = z.strictObject({
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
const unloadSchema = z.strictObject({
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

const list = createRoute({
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
const end = createRoute({
  method: "delete",
  path: `${ADMIN_FOLDER}sessions/{id}`,
  summary: "Ends a session for good, with its stored copy: its client is told 4403",
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: json("what it was", sessionSchema.pick({ id: true, state: true }).openapi("AdminEnded")),
    ...refusals(404, 503),
  },
});
const drain = createRoute({
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
const reload = createRoute({
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
const load = createRoute({
  method: "post",
  path: `${ADMIN_FOLDER}models`,
  summary: "Loads the weights folder of this name, which lies beside the default model's",
  request: { query: loadSchema },
  responses: {
    200: json("it can be used", modelLoadedSchema),
    ...refusals(404, 409, 422, 503),
  },
});
const unload = createRoute({
  method: "delete",
  path: `${ADMIN_FOLDER}models/{name}`,
  summary: "Unloads a model other than the default one",
  request: { params: z.object({ name: z.string() }), query: unloadSchema },
  responses: {
    200: json("it is gone", modelUnloadedSchema),
    ...refusals(404, 409, 422, 503),
  },
});
const config = createRoute({
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

const ROUTES = [list, end, drain, reload, load, unload, config];

/** Mounts the routes. */
export function mountAdmin(
  app: OpenAPIHono,
  { keys, log }: { keys: Keys; log: Log },
  { askAll, keysFile, drain: drainAll, drainTimeoutS, settings }: AdminParts,
): void {
  for (const route of ROUTES) { // one by one, so that other methods are 405 to everybody
    app.on(route.method, route.getRoutingPath(), async (c, next) => {
      mustBeAdmin(c, keys);
      c.header("Cache-Control", "no-store");
      await next();
    });
  }
  /** Who did it. A message of its own, so that no line like it holds it back. */
  const did = (c: Context, what: string, fields: Record<string, unknown> = {}) =>
    log.info(`admin ${what}`, {
      key: c.get("owner"),
      address: endsOf(c).remoteAddress,
      request: c.get("requestId"),
      ...fields,
    });

  app.openapi(list, async (c) => {
    const page = parseOptions(pageSchema, c.req.query());
    return c.json(pageOf((await askAll({ do: "sessions", page })).flat(), page.limit), 200);
  });
  app.openapi(end, async (c) => {
    const { id } = c.req.valid("param");
    const ended = await askAll({ do: "end", session: id });
    const state = ended.find((one) => one === "live") ?? ended.find((one) => one !== null);
    if (!state) {
      throw new CpcError("not_found", `no session ${JSON.stringify(id)}; it may have ended`);
    }
    did(c, `ended session ${id}`, { state });
    return c.json({ id, state }, 200);
  });
  app.openapi(drain, (c) => {
    const { seconds = drainTimeoutS } = parseOptions(drainSchema, c.req.query());
    did(c, "drains the server", { within_s: seconds });
    drainAll(seconds);
    return c.json({ status: "draining" as const, within_seconds: seconds }, 202);
  });
  app.openapi(reload, async (c) => {
    if (!keysFile) throw notAdmin("this server has no --api-keys-file");
    try {
      const reloaded = await reloadKeys(keysFile, askAll);
      did(c, "read the keys again", { ...reloaded });
      return c.json(reloaded, 200);
    } catch (error) {
      did(c, "could not read the keys again", { error: (error as Error).message });
      throw error;
    }
  });
  app.openapi(load, async (c) => {
    const { name } = parseOptions(loadSchema, c.req.query());
    const loaded = (await askAll({ do: "load", model: name })).includes(true);
    did(c, `loaded the model ${name}`, { loaded });
    return c.json({ id: name, loaded }, 200);
  });
  app.openapi(unload, async (c) => {
    const { name } = c.req.valid("param");
    const endStreams = parseOptions(unloadSchema, c.req.query()).end_streams !== undefined;
    // at no server, unless at all of them
    const streams = sum(await askAll({ do: "uses", model: name }));
    if (streams > 0 && !endStreams) {
      const why = `the model ${name} has ${streams} ${streams === 1 ? "stream" : "streams"}`;
      throw new CpcError("model_in_use", `${why}; end_streams=1 ends them first`);
    }
    const ended = sum(await askAll({ do: "unload", model: name, endStreams }));
    did(c, `unloaded the model ${name}`, { ended });
    return c.json({ id: name, ended }, 200);
  });
  app.openapi(
    config,
    (c) =>
      c.json({ version: VERSION, settings, keys: { count: keys.size, admins: keys.admins } }, 200),
  );
}

/** A session that has moved may be known to two servers: where it is live counts. */
function pageOf(rows: readonly SessionRow[], limit: number) {
  const byId = new Map<string, SessionRow>();
  for (const row of rows) if (row.state === "live" || !byId.has(row.id)) byId.set(row.id, row);
  const sorted = [...byId.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  const data = sorted.slice(0, limit);
  const next = sorted.length > limit ? data.at(-1)?.id : undefined;
  return { object: "list" as const, data, ...(next !== undefined && { next }) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}

function mustBeAdmin(c: Context, keys: Keys): void {
  const owner = c.get("owner");
  if (owner !== undefined && keys.isAdmin(owner)) return;
  throw notAdmin(
    keys.admins.length > 0
      ? `the key ${owner} may not use the admin routes`
      : "no key of this server may use the admin routes",
  );
}

function notAdmin(why: string): CpcError {
  return new CpcError("not_admin", `${why}; "admin": true in --api-keys-file gives the right`);
}
