/** `/v1/admin/…`: what whoever runs the server may see and do, with a key that has this right. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { NamedFile } from "../../config/kinds.ts";
import type { SettingInForce } from "../../config/in_force.ts";
import { CpcError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { parseOptions } from "../../options.ts";
import { VERSION } from "../../version.ts";
import { endsOf } from "../context.ts";
import type { Keys } from "../keys.ts";
import type { AskAll, SessionRow } from "./commands.ts";
import {
  ADMIN_ROUTES,
  config,
  drain,
  drainSchema,
  end,
  list,
  load,
  loadSchema,
  pageSchema,
  reload,
  unload,
  unloadSchema,
} from "./contract.ts";
import { reloadKeys } from "./reload.ts";

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

/** Mounts the routes. */
export function mountAdmin(
  app: OpenAPIHono,
  { keys, log }: { keys: Keys; log: Log },
  { askAll, keysFile, drain: drainAll, drainTimeoutS, settings }: AdminParts,
): void {
  for (const route of ADMIN_ROUTES) { // one by one, so that other methods are 405 to everybody
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
    c.header("Connection", "close"); // the server waits for connections to end
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
    const uses = await askAll({ do: "uses", model: name });
    if (uses.every((one) => one === null)) {
      throw new CpcError("model_not_found", `no server has the model ${JSON.stringify(name)}`);
    }
    const streams = sum(uses);
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

function sum(numbers: readonly (number | null)[]): number {
  return numbers.reduce<number>((sum, one) => sum + (one ?? 0), 0);
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
