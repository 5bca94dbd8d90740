/** A stream that sends at the pace of speech and times every frame that comes back. */
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { MESSAGE_MS, WARM_UP_MESSAGES } from "./real_time.ts";

const MESSAGE_SAMPLES = 16_000 * MESSAGE_MS / 1000;
const CLOSING_MS = 5000;
const BINARY_MAGIC = 0x31435043; // "CPC1"

/** A second of noise as s16le, cut into messages. */
const MESSAGES = Array.from({ length: WARM_UP_MESSAGES }, (_, m) => {
  const at = (i: number) => Math.imul(m * MESSAGE_SAMPLES + i + 1, 0x9e3779b1) >> 18;
  return new Uint8Array(Int16Array.from({ length: MESSAGE_SAMPLES }, (_, i) => at(i)).buffer);
});

/** Where the streams go. */
export interface Target {
  /** `ws://HOST:PORT/v1/stream` */
  readonly url: string;
  readonly key?: string;
}

/** One paced stream. */
export class PacedStream {
  /** Per frame, from sending the message that completes it to its arrival. */
  readonly latenciesMs: number[] = [];
  /** Messages with frames that came. */
  messages = 0;
  /** Why it ended before it was told to. */
  ended?: string;
  readonly #socket: WebSocket;
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #sentMs: number[] = [];
  #hop = 0;
  #lookahead = 0;
  #frames = 0;
  #reason = "";
  #finishing = false;

  private constructor({ url, key }: Target) {
    this.#socket = new WebSocket(`${url}?format=binary`, ["cpc.v1"], {
      perMessageDeflate: false,
      headers: key ? { authorization: `Bearer ${key}` } : {},
    });
    this.#socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      if (isBinary) this.#receive(data, performance.now());
      else this.#read(JSON.parse(new TextDecoder().decode(data)));
    });
    this.#socket.on("error", (error: Error) => this.#reason ||= error.message);
    this.#socket.on("close", (code: number) => {
      const why = this.#reason || `closed with ${code}`;
      if (!this.#finishing) this.ended ??= why;
      this.#ready.reject(new Error(why));
      this.#closed.resolve();
    });
  }

  /** Connects and waits for `ready`; a stream that is refused has `ended`. */
  static async open(target: Target): Promise<PacedStream> {
    const stream = new PacedStream(target);
    await stream.#ready.promise.catch(() => {});
    return stream;
  }

  /** Sends its next message, unless it has ended. */
  send(): void {
    if (this.ended !== undefined) return;
    this.#socket.send(MESSAGES[this.#sentMs.length % MESSAGES.length]);
    this.#sentMs.push(performance.now());
  }

  /** Frames whose audio was sent and that have not come. */
  get owed(): number {
    const samples = this.#sentMs.length * MESSAGE_SAMPLES;
    if (this.#hop === 0 || samples < this.#lookahead) return 0;
    return Math.floor((samples - this.#lookahead) / this.#hop) + 1 - this.#frames;
  }

  /** Ends it as a client does, or abruptly if the server takes too long. */
  async close(): Promise<void> {
    this.#finishing = true;
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ type: "finish" }));
    }
    const timer = setTimeout(() => this.#socket.terminate(), CLOSING_MS);
    await this.#closed.promise;
    clearTimeout(timer);
  }

  #read(message: { type: string; message?: string; hop: number; lookahead: number }): void {
    if (message.type === "error") this.#reason ||= String(message.message);
    if (message.type !== "ready") return;
    this.#hop = message.hop;
    this.#lookahead = message.lookahead;
    this.#ready.resolve();
  }

  #receive(data: Uint8Array, nowMs: number): void {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (view.getUint32(0, true) !== BINARY_MAGIC) throw new Error("a binary message is no frames");
    const [first, count] = [view.getUint32(4, true), view.getUint32(8, true)];
    this.#frames += count;
    this.messages++;
    for (let frame = first; frame < first + count; frame++) {
      const completing = Math.ceil((frame * this.#hop + this.#lookahead) / MESSAGE_SAMPLES) - 1;
      if (completing < WARM_UP_MESSAGES || completing >= this.#sentMs.length) continue;
      this.latenciesMs.push(nowMs - this.#sentMs[completing]);
    }
  }
}
