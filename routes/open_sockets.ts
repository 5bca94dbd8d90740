/**
 * The TCP connections of a server: a bound on how many there are, and an end for those that say
 * nothing. Without it, whoever opens sockets uses up the process's file descriptors.
 */
import type { Socket } from "node:net";

/** How long a socket may take to its first whole request head, in milliseconds. */
export const SILENT_MS = 10_000;

/** What {@linkcode OpenSockets} needs of a socket. */
export type CountedSocket = Pick<Socket, "destroy" | "once" | "remoteAddress" | "remotePort">;

/** Sockets of one server. */
export class OpenSockets {
  readonly #most: number;
  readonly #nowMs: () => number;
  readonly #open = new Map<string, CountedSocket>();
  /** Those that have not sent a request yet, and since when, the oldest first. */
  readonly #silentSinceMs = new Map<string, number>();

  /** @param options `most`: sockets at once; `nowMs`: a clock, for tests */
  constructor({ most, nowMs = () => performance.now() }: { most: number; nowMs?: () => number }) {
    this.#most = most;
    this.#nowMs = nowMs;
  }

  /** Sockets that are open. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Counts a new socket. Where there are too many, the one that has been silent for longest goes;
   * where none is silent, the new one does.
   */
  add(socket: CountedSocket): void {
    if (this.#open.size >= this.#most) {
      const [silent] = this.#silentSinceMs.keys();
      if (silent === undefined) {
        socket.destroy();
        return;
      }
      this.#cut(silent);
    }
    const name = nameOf(socket);
    this.#open.set(name, socket);
    this.#silentSinceMs.set(name, this.#nowMs());
    socket.once("close", () => {
      if (this.#open.get(name) === socket) this.#forget(name);
    });
  }

  /** A request has come on a socket. */
  spoke(socket: Pick<Socket, "remoteAddress" | "remotePort">): void {
    this.#silentSinceMs.delete(nameOf(socket));
  }

  /** Cuts sockets that have been silent for {@linkcode SILENT_MS}. */
  tick(): void {
    const before = this.#nowMs() - SILENT_MS;
    for (const [name, sinceMs] of this.#silentSinceMs) {
      if (sinceMs > before) return;
      this.#cut(name);
    }
  }

  #cut(name: string): void {
    const socket = this.#open.get(name);
    this.#forget(name);
    socket?.destroy();
  }

  #forget(name: string): void {
    this.#open.delete(name);
    this.#silentSinceMs.delete(name);
  }
}

/** A TLS socket is another object than the TCP socket below it: the client's end names both. */
function nameOf({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">) {
  return `${remoteAddress} ${remotePort}`;
}
