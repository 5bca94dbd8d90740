/**
 * The TCP connections of a server: bounds their number, and cuts silent ones. Otherwise anyone who
 * opens sockets, or keeps them open after a request, could use up the process's file descriptors or
 * leave no place for others.
 */
import type { Socket } from "node:net";
import { LIMITS } from "../config/limits.ts";

/** How long a socket may take to send a whole request head, in milliseconds. */
export const SILENT_MS = 10_000;
/**
 * Most bytes that a socket may send in this time: a head has 64 KiB with all its line breaks. Over
 * TLS nobody counts what is read ahead.
 */
export const SILENT_BYTES = 256 * 1024;
/** Most requests that a client may send ahead of their answers, on one connection. */
export const MOST_PIPELINED = 32;

/** The part of a socket that {@linkcode OpenSockets} needs. */
export type CountedSocket = Pick<
  Socket,
  "bytesRead" | "destroy" | "once" | "remoteAddress" | "remotePort"
>;
/** A socket on which a request has come: over TLS another object than the counted one. */
type SpeakingSocket = Pick<Socket, "remoteAddress" | "remotePort" | "writableLength">;

/** Since when a socket is silent, and what it had sent until then; `Infinity`: it may send more. */
interface Silent {
  readonly sinceMs: number;
  readonly bytes: number;
}

/** What waits on a socket to be read by its client, and since when nothing of it was. */
interface Unread {
  readonly socket: SpeakingSocket;
  bytes: number;
  sinceMs: number;
}

/** Sockets of one server. */
export class OpenSockets {
  readonly #most: number;
  readonly #silentBytes: number;
  readonly #stallMs: number;
  readonly #nowMs: () => number;
  readonly #open = new Map<string, CountedSocket>();
  /** Sockets without a request under way, and since when; oldest first. */
  readonly #silent = new Map<string, Silent>();
  /** Requests under way, by socket: pipelined ones arrive before the answers of earlier ones. */
  readonly #requests = new Map<string, number>();
  /** Those on which requests have come. */
  readonly #unread = new Map<string, Unread>();
  /** Sockets that carry streams: their handshake counts as a request that is never answered. */
  readonly #streams = new Set<string>();
  /** Cut sockets that still hold their file descriptors. */
  readonly #closing = new Set<CountedSocket>();
  #settled = Promise.withResolvers<void>();
  #answered = Promise.withResolvers<void>();

  /**
   * @param options `most`: most sockets at once; `tls`: whether they speak it; `stallMs`: how long
   *   a client may read nothing of an answer; `nowMs`: a clock, for tests
   */
  constructor({ most, tls = false, stallMs, nowMs = () => performance.now() }: {
    most: number;
    tls?: boolean;
    stallMs: number;
    nowMs?: () => number;
  }) {
    this.#most = most;
    this.#silentBytes = tls ? Infinity : SILENT_BYTES;
    this.#stallMs = stallMs;
    this.#nowMs = nowMs;
  }

  /** Number of open sockets. */
  get size(): number {
    return this.#open.size;
  }

  /** Number of sockets that were cut and still hold their file descriptors. */
  get closing(): number {
    return this.#closing.size;
  }

  /** Whether the next socket costs another one its place. */
  get full(): boolean {
    return this.#open.size >= this.#most;
  }

  /** Resolves once all sockets that were cut have given their file descriptors back. */
  async settled(): Promise<void> {
    while (this.#closing.size > 0) await this.#settled.promise;
  }

  /** HTTP requests under way. A client that goes takes its own along, answered or not. */
  get requests(): number {
    return this.#requests.values().reduce((sum, count) => sum + count, -this.#streams.size);
  }

  /** Resolves once no HTTP request is under way. */
  async answered(): Promise<void> {
    while (this.requests > 0) await this.#answered.promise;
  }

  /**
   * Counts a new socket. If there are too many, cuts the one that has been silent longest, or, if
   * none is silent, one of the address that has most, or the new one.
   */
  add(socket: CountedSocket): void {
    if (this.full) {
      const [silent] = this.#silent.keys();
      const cut = silent ?? this.#newestOfMost(socket);
      if (cut === undefined) return this.#destroy(socket);
      this.#cut(cut);
    }
    const name = nameOf(socket);
    this.#open.set(name, socket);
    this.#fallsSilent(name, socket);
    socket.once("close", () => {
      if (this.#open.get(name) === socket) this.#forget(name);
    });
  }

  /**
   * A request has arrived on a socket, which is cut if too many wait there already.
   *
   * @returns to be called when it is answered, with whether all of it had come; undefined if nobody
   *   waits for an answer, since the socket has gone
   */
  spoke(from: SpeakingSocket): ((isWhole?: boolean) => void) | undefined {
    const name = nameOf(from);
    const socket = this.#open.get(name);
    if (!socket) return undefined;
    const waiting = this.#requests.get(name) ?? 0;
    if (waiting >= MOST_PIPELINED) {
      this.#cut(name);
      return undefined;
    }
    this.#silent.delete(name);
    this.#requests.set(name, waiting + 1);
    if (!this.#unread.has(name)) this.#unread.set(name, { socket: from, bytes: 0, sinceMs: 0 });
    return (isWhole = true) => {
      if (this.#open.get(name) !== socket) return;
      const left = this.#requests.get(name)! - 1; // it is open
      this.#requests.set(name, left);
      if (left === 0) this.#fallsSilent(name, socket, isWhole);
      this.#tellAnswered();
    };
  }

  /** The handshake of a stream has come: until it is done, the socket counts as silent. */
  shakesHands(from: Pick<Socket, "remoteAddress" | "remotePort">): void {
    const name = nameOf(from);
    const socket = this.#open.get(name);
    if (!socket || !this.#silent.delete(name)) return; // it has gone, or owes answers
    this.#fallsSilent(name, socket);
  }

  /** The socket carries a stream from now on. */
  upgraded(from: SpeakingSocket): void {
    if (this.spoke(from)) this.#streams.add(nameOf(from));
  }

  /**
   * Cuts sockets that have been silent for {@linkcode SILENT_MS}, or have sent much that is no
   * request, and those whose clients do not read their answers.
   */
  tick(): void {
    const nowMs = this.#nowMs();
    for (const [name, unread] of this.#unread) {
      if (this.#streams.has(name)) continue; // they have clocks of their own
      if (this.#isStuck(unread, nowMs)) this.#cut(name);
    }
    for (const [name, { sinceMs, bytes }] of this.#silent) {
      const sent = this.#open.get(name)!.bytesRead - bytes;
      if (sinceMs <= nowMs - SILENT_MS || sent > this.#silentBytes) this.#cut(name);
    }
  }

  /** What was written at once goes at once too, so a long write is given the time that it takes. */
  #isStuck(unread: Unread, nowMs: number): boolean {
    const bytes = unread.socket.writableLength;
    if (bytes === 0 || bytes !== unread.bytes) {
      unread.bytes = bytes;
      unread.sinceMs = nowMs;
    }
    const patienceMs = this.#stallMs + bytes / LIMITS.leastBytesPerSecond * 1000;
    return bytes > 0 && nowMs - unread.sinceMs >= patienceMs;
  }

  /** Without a stream, of the address that has most, if the newcomer's has fewer. */
  #newestOfMost({ remoteAddress: newcomer }: CountedSocket): string | undefined {
    const addresses = Map.groupBy(this.#open, ([, { remoteAddress }]) => remoteAddress);
    const most = [...addresses.values()].reduce((a, b) => b.length > a.length ? b : a);
    if (most.length <= (addresses.get(newcomer)?.length ?? 0)) return undefined;
    return most.findLast(([name]) => !this.#streams.has(name))?.[0];
  }

  /** @param isWhole whether nothing more of its last request may come */
  #fallsSilent(name: string, { bytesRead }: CountedSocket, isWhole = true): void {
    this.#silent.set(name, { sinceMs: this.#nowMs(), bytes: isWhole ? bytesRead : Infinity });
  }

  #cut(name: string): void {
    const socket = this.#open.get(name);
    this.#forget(name);
    if (socket) this.#destroy(socket);
  }

  #destroy(socket: CountedSocket): void {
    this.#closing.add(socket);
    socket.once("close", () => {
      this.#closing.delete(socket);
      if (this.#closing.size > 0) return;
      this.#settled.resolve();
      this.#settled = Promise.withResolvers();
    });
    socket.destroy();
  }

  #forget(name: string): void {
    this.#open.delete(name);
    this.#silent.delete(name);
    this.#requests.delete(name);
    this.#unread.delete(name);
    this.#streams.delete(name);
    this.#tellAnswered();
  }

  #tellAnswered(): void {
    this.#answered.resolve();
    this.#answered = Promise.withResolvers();
  }
}

/**
 * Names a socket by the client's address and port, since a TLS socket and the TCP socket below it
 * are different objects.
 */
function nameOf({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">) {
  return `${remoteAddress} ${remotePort}`;
}
