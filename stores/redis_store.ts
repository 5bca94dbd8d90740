/** Sessions in Redis or Valkey, for any number of servers. Commands are pipelined. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createClient } from "@redis/client";
import { CLAIM, DROP, PUT, READ } from "./redis_scripts.ts";
import {
  type Claim,
  DROPPED_MS,
  type Put,
  type PutResult,
  type SessionStore,
  type Stored,
} from "./store.ts";

/** How long a connection may take to come about. */
const CONNECT_MS = 1000;
/** How long a connection may be silent before it is replaced. */
const SILENT_MS = 2000;
/** Time between two attempts to connect. */
const RETRY_MS = 250;
/** Redis's number for a text reply, which holds bytes here. */
const BULK_REPLY = 36;

type Client = ReturnType<typeof connect>;
type Reply = null | number | Buffer | Reply[];

const SHA1 = new Map([PUT, READ, CLAIM, DROP].map((script) => [
  script,
  createHash("sha1").update(script).digest("hex"),
]));

/** A store in Redis. */
export class RedisStore implements SessionStore {
  readonly place: string;
  readonly writesAtOnce = false;
  readonly #url: string;
  #client: Client;
  #probe?: { readonly sinceMs: number; readonly answer: Promise<void> };
  #closed = false;
  /** Why there is no connection; probes tell it. */
  #problem?: Error;
  readonly #onError = (error: Error) => {
    this.#problem = error;
  };

  /** @param url `redis:` or `rediss:`, with user, password and database as needed */
  constructor(url: string) {
    const { protocol, host, pathname } = new URL(url);
    this.place = `${protocol}//${host}${pathname}`;
    this.#url = url;
    this.#client = connect(this.#url, this.#onError);
  }

  async put(changes: readonly Put[]): Promise<readonly PutResult[]> {
    const replies = await Promise.all(changes.map((change) => {
      const { id, epoch, ttlMs, replace, from, record, tokens } = change;
      const pairs = [...tokens ?? []].flatMap(([hash, wrapped]) => [hash, bufferOf(wrapped)]);
      return this.#run(PUT, id, [
        String(epoch),
        String(Math.ceil(ttlMs)),
        replace ? "1" : "0",
        String(from),
        String(record?.seq ?? -1),
        record ? bufferOf(record.sealed) : "",
        String(tokens?.size ?? -1),
        ...pairs,
      ]);
    }));
    return replies.map((reply) => String(reply) as PutResult);
  }

  async read(id: string, hash: string, newest?: number): Promise<Stored | undefined> {
    const reply = await this.#run(READ, id, [hash, newest ? `-${newest}` : "0"]);
    if (!Array.isArray(reply)) return undefined;
    const [epoch, from, next, wrappedKey, records] = reply as [
      Buffer,
      Buffer,
      number,
      Buffer,
      Buffer[],
    ];
    const first = next - records.length;
    return { epoch: Number(epoch), from: Number(from), wrappedKey, first, records };
  }

  async claim(
    id: string,
    { epoch, hash, next: [nextHash, wrapped], after, ttlMs }: Claim,
  ): Promise<readonly Uint8Array[] | undefined> {
    const reply = await this.#run(CLAIM, id, [
      String(epoch),
      hash,
      nextHash,
      bufferOf(wrapped),
      String(after),
      String(Math.ceil(ttlMs)),
    ]);
    return Array.isArray(reply) ? reply as Buffer[] : undefined;
  }

  async drop(id: string, epoch: number): Promise<boolean> {
    return await this.#run(DROP, id, [String(epoch), String(DROPPED_MS)]) === 1;
  }

  probe(): Promise<void> {
    const nowMs = performance.now();
    if (this.#probe && nowMs - this.#probe.sinceMs < SILENT_MS) return this.#probe.answer;
    if (this.#probe) { // a broken network may keep a connection silent for minutes
      this.#client.destroy();
      this.#client = connect(this.#url, this.#onError);
    }
    const client = this.#client;
    const answer = this.#load(client).finally(() => {
      if (this.#client === client) this.#probe = undefined;
    });
    this.#probe = { sinceMs: nowMs, answer };
    return answer;
  }

  /** A server that was started again has forgotten its scripts. */
  async #load(client: Client): Promise<void> {
    if (!client.isReady) throw this.#problem ?? new Error("not connected");
    await Promise.all(
      [...SHA1.keys()].map((script) => client.sendCommand(["SCRIPT", "LOAD", script])),
    );
  }

  sweep(): void {} // Redis expires keys by itself

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#client.isReady) await this.#client.close();
    else this.#client.destroy();
  }

  async #run(script: string, id: string, args: (string | Buffer)[]): Promise<Reply> {
    const key = `cpc:{${id}}`;
    const command = ["EVALSHA", SHA1.get(script)!, "2", key, `${key}r`, ...args];
    return await this.#client.sendCommand(command, { typeMapping: { [BULK_REPLY]: Buffer } });
  }
}

function connect(url: string, onError: (error: Error) => void) {
  const client = createClient({
    url,
    maintNotifications: "disabled", // Redis Enterprise's; it reads the environment
    commandOptions: { timeout: 0 }, // a timer per command; the store's user has deadlines
    disableOfflineQueue: true, // what is late is superseded: newest wins
    socket: { connectTimeout: CONNECT_MS, reconnectStrategy: RETRY_MS },
  });
  client.on("error", onError);
  client.connect().catch(() => {}); // only when it is destroyed meanwhile
  return client;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
