/**
 * Cuts clients that send a body in very many small chunks, or with very much around its chunks. A
 * small chunk costs about as much time and memory as a large one, and node:http takes all that one
 * read brings, thousands of them, before anybody else is heard. What is around a chunk, such as its
 * extensions, node:http reads without an end and tells nobody.
 */
import type { IncomingMessage } from "node:http";

/** A chunk of fewer bytes is small. */
const SMALL_BYTES = 64;
/**
 * Small chunks of one connection at once, and a second over longer times. Packets of Opus, one
 * every 20 ms, may be held up for a minute and come all together.
 */
export const SMALL_CHUNKS = { most: 4096, perS: 1024 } as const;

/**
 * Bytes around a chunk, on average, and in all beyond that. A size takes a few bytes; what was read
 * and not yet looked at counts too. Over TLS that is megabytes, so there is no such bound.
 */
export const AROUND = { perChunk: 64, most: 256 * 1024 } as const;

/** The part of a request that is looked at. */
type ChunkedRequest = Pick<IncomingMessage, "headers" | "push"> & {
  once(event: "close", listener: () => void): unknown;
  readonly socket: {
    readonly bytesRead: number;
    readonly encrypted?: boolean;
    destroy(): unknown;
  };
};

interface Allowance {
  left: number;
  sinceMs: number;
}

/** Watches the bodies of all requests. */
export class SmallChunks {
  readonly #nowMs: () => number;
  /** What is left to each connection: it may send requests one after the other. */
  readonly #allowances = new WeakMap<object, Allowance>();
  /** For each body on its way: whether too much is around its chunks. */
  readonly #bodies = new Map<ChunkedRequest, () => boolean>();

  /** @param nowMs a clock, for tests */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Watches the body of a request that has just begun, and cuts its connection if need be. */
  watch(request: ChunkedRequest): void {
    if (request.headers["transfer-encoding"] === undefined) return;
    const { socket } = request;
    const { bytesRead: begin } = socket;
    let [chunks, bytes] = [0, 0];
    const hasMuchAround = () =>
      !socket.encrypted &&
      socket.bytesRead - begin > bytes + AROUND.perChunk * chunks + AROUND.most;
    this.#bodies.set(request, hasMuchAround);
    request.once("close", () => this.#bodies.delete(request));
    const push = request.push.bind(request);
    request.push = (chunk: Uint8Array | null, encoding) => {
      if (chunk === null) this.#bodies.delete(request);
      else [chunks, bytes] = [chunks + 1, bytes + chunk.length];
      const isSmall = chunk !== null && chunk.length < SMALL_BYTES;
      if (!hasMuchAround() && (!isSmall || this.#take(socket))) return push(chunk, encoding);
      socket.destroy();
      return false;
    };
  }

  /** Cuts those that send no chunk, but something around one. */
  tick(): void {
    for (const [request, hasMuchAround] of this.#bodies) {
      if (hasMuchAround()) request.socket.destroy();
    }
  }

  /** Whether the connection may send one more. */
  #take(socket: object): boolean {
    const nowMs = this.#nowMs();
    const { most, perS } = SMALL_CHUNKS;
    const before = this.#allowances.get(socket) ?? { left: most, sinceMs: nowMs };
    const left = Math.min(most, before.left + (nowMs - before.sinceMs) / 1000 * perS) - 1;
    this.#allowances.set(socket, { left: Math.max(0, left), sinceMs: nowMs });
    return left >= 0;
  }
}
