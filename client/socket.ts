/** One connection, from dialling to its end, whoever ends it. */
import { type BinaryFrame, decodeBinary } from "./binary_frame.ts";
import type { FramesMessage, HeadMessage, ServerMessage } from "./protocol.ts";
import { StreamError, toStreamError } from "./stream_error.ts";

/** The part of a WebSocket that the client uses: the platform's, or that of the package `ws`. */
export interface SocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { code: number; reason: string }) => void,
  ): void;
  addEventListener(type: "error", listener: () => void): void;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}
/** Makes a WebSocket. */
export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** Messages of a connection, except errors. */
export type Heard =
  | Exclude<ServerMessage, { type: "error" }>
  | FramesMessage
  | HeadMessage
  | BinaryFrame;

/** Options of a connection. */
export interface Dialling {
  readonly url: URL;
  readonly protocols: string[];
  readonly WebSocket: SocketConstructor | undefined;
  /** Time to wait for the server's `ready`. */
  readonly timeoutMs: number;
  /** Receives every message, `ready` first. */
  readonly hears: (message: Heard) => void;
  /** Called when a ready connection is gone. */
  readonly isLost: (error: StreamError) => void;
}

/** A WebSocket to the server, which reports its end once. */
export class Connection {
  /** Resolves after `ready`; rejects with a {@linkcode StreamError}. */
  readonly opened: Promise<void>;
  lastSentMs = Date.now();
  lastHeardMs = Date.now();
  readonly #socket: SocketLike;
  readonly #host: string;
  readonly #isLost: (error: StreamError) => void;
  readonly #timer: ReturnType<typeof setTimeout>;
  #rejectOpened: (error: StreamError) => void = () => {};
  #isReady = false;
  #isClosing = false;
  #isGone = false;
  /** The reason for the close, the server's or ours. */
  #said: StreamError | undefined;

  /** Dials. @throws {StreamError} `unsupported` if there is no WebSocket */
  constructor({ url, protocols, WebSocket, timeoutMs, hears, isLost }: Dialling) {
    const Socket = WebSocket ?? globalThis.WebSocket;
    if (!Socket) {
      throw new StreamError(
        "unsupported",
        "there is no global WebSocket here: pass one as the option WebSocket",
      );
    }
    this.#host = url.host;
    this.#isLost = isLost;
    const socket: SocketLike = new Socket(url.href, protocols);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#timer = setTimeout(() => {
      const why = `no answer from ${url.host} in ${timeoutMs} ms`;
      this.drop(new StreamError("timeout", why, { retryable: true }));
    }, timeoutMs);
    this.opened = new Promise((resolve, reject) => {
      this.#rejectOpened = reject;
      socket.addEventListener("message", ({ data }) => this.#take(data, { hears, resolve }));
    });
    socket.addEventListener("error", () => {}); // close follows
    socket.addEventListener("close", ({ code, reason }) => this.#end(code, reason));
  }

  /** Bytes that were sent but have not left. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.lastSentMs = Date.now();
    this.#socket.send(data);
  }

  /** Closes the connection, and ignores everything from now on. */
  close(): void {
    this.#isClosing = true;
    if (this.#socket.readyState < 2) this.#socket.close(1000);
  }

  /** Abandons the connection without waiting for its close. */
  drop(why: StreamError): void {
    this.#said = why;
    this.#socket.close();
    this.#end(1006, "");
  }

  #take(data: unknown, { hears, resolve }: { hears: Dialling["hears"]; resolve: () => void }) {
    if (this.#isClosing || this.#isGone) return;
    this.lastHeardMs = Date.now();
    let message;
    try {
      message = decode(data);
    } catch (error) {
      return this.drop(toStreamError(error));
    }
    if (message.type === "error") {
      const { code, message: text, retry_after_ms: retryAfterMs, ...details } = message;
      this.#said = new StreamError(code, text, { ...details, retryAfterMs });
      return;
    }
    if (message.type === "ready" && !this.#isReady) {
      this.#isReady = true;
      clearTimeout(this.#timer);
      resolve();
    }
    hears(message);
  }

  #end(code: number, reason: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    clearTimeout(this.#timer);
    const wasCut = code === 0 || code === 1006; // Deno reports 0 if there was no connection at all
    const why = !wasCut
      ? `the server closed with ${code} ${reason}`
      : this.#isReady
      ? "the connection to the server was lost"
      : `${this.#host} cannot be reached`;
    const error = this.#said ?? new StreamError("connection_lost", why, { retryable: true });
    error.closeCode ??= wasCut ? 1006 : code;
    if (this.#isReady) this.#isLost(error);
    else this.#rejectOpened(error);
  }
}

/** Reads a message from the server, trusting its types. */
function decode(data: unknown): ServerMessage | FramesMessage | HeadMessage | BinaryFrame {
  if (typeof data === "string") return JSON.parse(data);
  if (data instanceof ArrayBuffer) return decodeBinary(data);
  throw new StreamError("connection_lost", "a message is neither text nor an ArrayBuffer");
}
