/** Opens the store that `--store` names. */
import type { StorePlace } from "../config/store.ts";
import { SqliteFolderStore } from "./sqlite_folder.ts";
import { SqliteStore } from "./sqlite_store.ts";
import type { SessionStore } from "./store.ts";

/**
 * Opens a store.
 *
 * @returns undefined for `memory`: sessions stay in their process
 * @throws {UsageError} if a file cannot be used; a Redis that is down is waited for
 */
export async function openStore(place: StorePlace): Promise<SessionStore | undefined> {
  switch (place.kind) {
    case "memory":
      return undefined;
    case "sqlite":
      return new SqliteStore(place.file);
    case "folder":
      return new SqliteFolderStore(place.folder, place);
    case "redis": { // imported on demand, since few servers need it
      const { RedisStore } = await import("./redis_store.ts");
      return new RedisStore(place.url);
    }
  }
}
