/** The server's configuration: its settings, with keys and certificates read and checked. */
import { basename, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { type ApiKey, apiKeysOf } from "./keys.ts";
import type { Values } from "./setting.ts";
import { isLoopback } from "./origins.ts";
import type { SERVER_SETTINGS } from "./settings.ts";
import type { StorePlace } from "./store.ts";
import { type Tls, tlsOf } from "./tls.ts";
import { workersOf } from "./workers.ts";

/** The settings of `deno task start`, as given. */
export type ServerSettings = Values<typeof SERVER_SETTINGS>;

/** Settings that become {@linkcode ServerConfig.apiKeys} and {@linkcode ServerConfig.tls}. */
type Ingredients =
  | "apiKeys"
  | "apiKeysFile"
  | "maxStreamsPerKey"
  | "store"
  | "workers"
  | "allowAnonymous"
  | "tlsCert"
  | "tlsKey";

/** The server's configuration. */
export interface ServerConfig extends Omit<ServerSettings, Ingredients> {
  readonly store: StorePlace;
  /** Of all processes together. */
  readonly workers: number;
  readonly apiKeys: readonly ApiKey[];
  readonly tls?: Tls;
}

/**
 * Checks settings against each other and reads the files that they name.
 *
 * @throws {UsageError} naming the conflicting flags, or the file
 */
export function serverConfig(settings: ServerSettings): ServerConfig {
  const { apiKeys, apiKeysFile, maxStreamsPerKey, allowAnonymous, tlsCert, tlsKey, ...others } =
    settings;
  const { store = { kind: "memory" } } = others;
  const rest = { ...others, store };
  checkModels(rest.models);
  const { maxStreams } = rest;
  const keys = keysOf({ apiKeys, apiKeysFile, maxStreamsPerKey, maxStreams });
  if (keys.length === 0 && !isLoopback(rest.host) && !allowAnonymous) {
    throw new UsageError(
      `--host ${rest.host} is open to other machines: set --api-key, or --allow-anonymous`,
    );
  }
  if (others.store?.kind === "memory" && rest.processes > 1) {
    throw new UsageError(
      `--store memory: keeps sessions in one process, and --processes ${rest.processes} moves ` +
        "them between several: leave --store out, or name sqlite:FILE or redis://HOST:PORT",
    );
  }
  const workers = workersOf(rest, { processes: rest.processes });
  return { ...rest, workers, apiKeys: keys, tls: tlsOf({ tlsCert, tlsKey }) };
}

/**
 * The keys of some settings.
 *
 * @param text what the keys file holds, where somebody has read it already
 * @throws {UsageError} for a faulty file
 */
export function keysOf(
  { apiKeys, apiKeysFile, maxStreamsPerKey, maxStreams }: Pick<
    ServerSettings,
    "apiKeys" | "apiKeysFile" | "maxStreamsPerKey" | "maxStreams"
  >,
  text?: string,
): ApiKey[] {
  const file = apiKeysFile && text !== undefined
    ? { ...apiKeysFile, text: () => text }
    : apiKeysFile;
  return apiKeysOf({ apiKeys, apiKeysFile: file }, { maxStreams: maxStreamsPerKey ?? maxStreams });
}

/** @throws {UsageError} if two weights folders have the same name */
export function checkModels(folders: readonly string[]): void {
  const ids = folders.map((folder) => basename(resolve(folder)));
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice === undefined) return;
  throw new UsageError(
    `--model names two folders called ${twice}, and a model's id is its folder's name`,
  );
}
