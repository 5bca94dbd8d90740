/**
 * Sessions of several servers in a folder, each server's in a file of its own. SQLite lets one
 * writer in at a time, so servers that shared a file would wait for each other; here they write
 * side by side, and a session that is claimed moves to its new server's file.
 */
import { join } from "node:path";
import { SqliteStore } from "./sqlite_store.ts";
import type { Claim, Put, PutResult, SessionStore, Stored } from "./store.ts";

/** Sessions of a server that has ended are swept by the others, this much later. */
const OTHERS_SWEEP_MS = 3000;
/** A session may move, while files are read, from one that is still to come to one that was read. */
const PASSES = 2;
/** How long a server remembers at most that a session has moved, in case it still writes. */
const MOVED_MS = 60_000;

/** The file of a server, 1 … servers. */
export function fileOf(folder: string, server: number): string {
  return join(folder, `sessions-${server}.db`);
}

/** A store in a folder. */
export class SqliteFolderStore implements SessionStore {
  readonly place: string;
  readonly writesAtOnce = true;
  readonly #own: SqliteStore;
  readonly #others: readonly SqliteStore[];

  /**
   * Opens the files, or makes them.
   *
   * @param options `server`: whose it is; `servers`: how many there are; `nowMs`: the time of day
   * @throws {UsageError} if they cannot be used
   */
  constructor(
    folder: string,
    { server, servers, nowMs }: { server: number; servers: number; nowMs?: () => number },
  ) {
    this.place = `sqlite:${folder}`;
    this.#own = new SqliteStore(fileOf(folder, server), { nowMs });
    this.#others = Array.from({ length: servers }, (_, i) => i + 1)
      .filter((other) => other !== server)
      .map((other) => new SqliteStore(fileOf(folder, other), { nowMs, isOwn: false }));
  }

  put(changes: readonly Put[]): Promise<readonly PutResult[]> {
    return this.#own.put(changes);
  }

  async read(id: string, hash: string, newest?: number): Promise<Stored | undefined> {
    for (let pass = 0; pass < PASSES; pass++) {
      for (const store of [this.#own, ...this.#others]) {
        const stored = await store.read(id, hash, newest);
        if (stored) return stored;
      }
    }
  }

  async claim(id: string, claim: Claim): Promise<readonly Uint8Array[] | undefined> {
    const news = await this.#own.claim(id, claim);
    if (news) return news;
    for (const store of this.#others) {
      const news = await store.claim(id, claim);
      if (!news) continue;
      const rows = await store.rowsOf(id);
      if (rows?.epoch !== claim.epoch + 1) return undefined; // a later claim has taken it already
      await this.#own.adopt(id, rows);
      const rememberMs = Math.min(MOVED_MS, claim.ttlMs); // nothing outlives the resume window
      if (await store.drop(id, rows.epoch, rememberMs)) return news;
      await this.#own.drop(id, rows.epoch); // the same
      return undefined;
    }
  }

  drop(id: string, epoch: number): Promise<boolean> {
    return this.#own.drop(id, epoch);
  }

  probe(): Promise<void> {
    return this.#own.probe();
  }

  sweep(): void {
    this.#own.sweep();
    for (const store of this.#others) {
      store.mend();
      store.sweep(OTHERS_SWEEP_MS);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#own, ...this.#others].map((store) => store.close()));
  }
}
