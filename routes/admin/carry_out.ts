/** Carries out administrators' commands at this server. */
import type { ApiKey } from "../../config/keys.ts";
import { CpcError, toCpcError, UsageError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import type { Hub } from "../../streaming/hub.ts";
import type { ListedSession } from "../../streaming/sessions.ts";
import type { Keys } from "../keys.ts";
import { loadModel, type ModelParts, unloadModel } from "./models.ts";
import type { Answers, Command, Reloaded, SessionRow, SessionsPage, Told } from "./commands.ts";

/** What commands act on. */
export interface Administered extends ModelParts {
  readonly hub: Hub;
  readonly keys: Keys;
  /** The keys of the settings, where the keys file holds this. @throws {UsageError} */
  readonly keysOf: (text: string) => readonly ApiKey[];
}

/** Does what a command asks; never rejects. */
export async function carryOut(command: Command, parts: Administered): Promise<Told> {
  try {
    return { value: await valueOf(command, parts) };
  } catch (thrown) {
    const { code, message } = toCpcError(thrown);
    return { error: { code, message } };
  }
}

/**
 * Does what administrators had settled before this server began. What it cannot do is in the log:
 * it serves without that.
 */
export async function catchUp(
  commands: readonly Command[],
  { parts, log }: { parts: Administered; log: Log },
): Promise<void> {
  for (const command of commands) {
    const told = await carryOut(command, parts);
    if (!("error" in told)) continue;
    const { code, message: error } = told.error;
    const what = { do: command.do, ...("model" in command && { model: command.model }) };
    log.error("what administrators have settled cannot be done here", { ...what, code, error });
  }
}

async function valueOf(
  command: Command,
  parts: Administered,
): Promise<Answers[Command["do"]]> {
  switch (command.do) {
    case "sessions":
      return rowsOf(parts.hub, command.page);
    case "end":
      return await parts.hub.sessions.end(command.session, endedByAdmin()) ?? null;
    case "reload":
      return await reload(command.text, parts);
    case "load":
      return await loadModel(command.model, parts);
    case "uses":
      return parts.pool.models.has(command.model) ? parts.pool.streamsOf(command.model) : null;
    case "unload":
      return unloadModel(command.model, { ...parts, endStreams: command.endStreams });
  }
}

function rowsOf(hub: Hub, { limit, after = "", key, model }: SessionsPage): SessionRow[] {
  const nowMs = hub.nowMs();
  return hub.sessions.list()
    .filter((one) =>
      one.id > after && (key ?? one.owner) === one.owner && (model ?? one.model) === one.model
    )
    .sort((a, b) => a.id < b.id ? -1 : 1)
    .slice(0, limit + 1)
    .map((one) => rowOf(one, nowMs));
}

function rowOf(one: ListedSession, nowMs: number): SessionRow {
  const { id, state, owner, address, model, encoding, openedAtMs, audioS } = one;
  const secondsTo = (ms: number) => Math.max(0, rounded((ms - nowMs) / 1000));
  return {
    id,
    state,
    key: owner || null,
    address: address ?? null,
    model,
    encoding,
    age_seconds: rounded((nowMs - openedAtMs) / 1000),
    audio_seconds: rounded(audioS),
    lag_seconds: one.state === "live" ? rounded(one.lagS) : null,
    expires_in_seconds: one.state === "kept" ? secondsTo(one.expiresAtMs) : null,
  };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

async function reload(text: string, { hub, keys, keysOf }: Administered): Promise<Reloaded> {
  const next = checkedKeys(() => keysOf(text));
  if ((next.length === 0) !== (keys.size === 0)) {
    const why = next.length === 0
      ? "the keys file has no key any more, which would open the server to everyone"
      : "a server that was started without keys stays one";
    throw new CpcError("invalid_option", `${why}: nothing is changed; restart the server for that`);
  }
  const change = keys.replace(next);
  const removed = new Set(change.removed);
  const orphans = hub.sessions.list().filter(({ owner }) => removed.has(owner));
  // what a silent store keeps of them, no key can resume
  const ended = await Promise.all(
    orphans.map(({ id }) => hub.sessions.end(id, keyTakenAway()).catch(() => undefined)),
  );
  return { keys: keys.size, ...change, ended: ended.filter((one) => one !== undefined).length };
}

/** @throws {CpcError} `invalid_option` with what is wrong with the file */
export function checkedKeys<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new CpcError("invalid_option", `${error.message}; nothing is changed`);
  }
}

function endedByAdmin(): CpcError {
  return new CpcError("ended_by_admin", "an administrator ended this session");
}

function keyTakenAway(): CpcError {
  return new CpcError("unauthorized", "the key of this stream has been taken away");
}
