/**
 * A healthy client: says a clip at the pace of speech, keeps every frame, and goes on after a lost
 * connection as docs/protocol.md tells clients to.
 */
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { type Clip, differenceFrom } from "./clips.ts";

/** What came of a stream. */
export interface Heard {
  /** The largest difference from the reference. */
  readonly difference: number;
  /** From sending the audio that completes a frame to its arrival, for each frame. */
  readonly latenciesMs: readonly number[];
  /** Times that the session was resumed. */
  readonly resumed: number;
}

/** How a client behaves. */
export interface LiveOptions {
  /** Where the server is now; asked again at each connection. */
  readonly url: () => string;
  /** Seconds of audio after which it cuts its own connection, each once. */
  readonly cutsAtS?: readonly number[];
  /** How long it tries to connect again. */
  readonly patienceMs?: number;
  /** Times faster than speech. */
  readonly speed?: number;
}

/** The stream ended in a way that its client cannot mend. */
export class StreamLost extends Error {
  override readonly name = "StreamLost";
  /** The close code; 0 where the client gave up on frames that are out of order. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const CHUNK_SAMPLES = MODEL_SAMPLE_RATE / 50;
const HOP_SAMPLES = 160;
/** Samples that the first frame needs. */
const FIRST_FRAME_SAMPLES = 312;
const HEADER_BYTES = 16;
const RETRY_MS = 100;
/** Close codes after which the session is still there. */
const RESUMABLE = new Set([1001, 1005, 1006, 1011, 1013, 4408, 4500]);

/**
 * Says a clip to its end.
 *
 * @throws {StreamLost} if the server ends the stream, or does not let it go on in time
 */
export async function sayClip(clip: Clip, options: LiveOptions): Promise<Heard> {
  const client = new LiveClient(clip, options);
  return await client.run();
}

class LiveClient {
  readonly #clip: Clip;
  readonly #options: LiveOptions;
  readonly #heard: Float32Array;
  readonly #width: number;
  readonly #sentMs: number[] = [];
  readonly #latenciesMs: number[] = [];
  #frames = 0;
  #token?: string;
  #resumed = 0;
  #startedMs = 0;

  constructor(clip: Clip, options: LiveOptions) {
    this.#clip = clip;
    this.#options = options;
    this.#heard = new Float32Array(clip.context.length);
    this.#width = clip.context.length / clip.frames;
  }

  async run(): Promise<Heard> {
    const { patienceMs = 10_000 } = this.#options;
    const cuts = [...this.#options.cutsAtS ?? []];
    for (let lostMs = performance.now();;) {
      const { code, why, progressed } = await this.#connection(cuts);
      if (code === 1000) break;
      if (progressed) lostMs = performance.now();
      const late = performance.now() - lostMs > patienceMs;
      if (late || !RESUMABLE.has(code)) throw new StreamLost(code, `closed with ${code}: ${why}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    return {
      difference: this.#frames === this.#clip.frames
        ? differenceFrom(this.#clip, this.#heard)
        : Infinity,
      latenciesMs: this.#latenciesMs,
      resumed: this.#resumed,
    };
  }

  /** One connection, to its close. */
  #connection(
    cuts: number[],
  ): Promise<{ code: number; why: string; progressed: boolean }> {
    const { promise, resolve } = Promise.withResolvers<
      { code: number; why: string; progressed: boolean }
    >();
    const resume = this.#token ? `&resume=${this.#token}&received=${this.#frames}` : "";
    const socket = new WebSocket(
      `${this.#options.url().replace("http", "ws")}/v1/stream?format=binary${resume}`,
    );
    const before = this.#frames;
    let why = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      if (isBinary) {
        why = this.#hear(data) ?? why;
        if (!why) return;
        resolve({ code: 0, why, progressed: false });
        return socket.terminate();
      }
      const message = JSON.parse(new TextDecoder().decode(data));
      if (message.type === "ready") {
        this.#token = message.resume;
        if (message.resumed) this.#resumed++;
        const speak = (at: number) => {
          timer = this.#speak(socket, { at, cuts, next: speak });
        };
        speak(message.resumed ? message.samples : 0);
      } else if (message.type === "error") why = `${message.code}, ${message.message}`;
    });
    socket.on("error", (error: Error) => why ||= error.message);
    socket.on("close", (code: number) => {
      clearTimeout(timer);
      resolve({ code, why, progressed: this.#frames > before });
    });
    return promise;
  }

  /** Sends what is due, and says when to come again. */
  #speak(
    socket: WebSocket,
    { at, cuts, next }: { at: number; cuts: number[]; next: (at: number) => void },
  ): ReturnType<typeof setTimeout> | undefined {
    const { speed = 1 } = this.#options;
    const all = this.#clip.bytes.length / 2;
    this.#startedMs ||= performance.now();
    const dueMs = (at: number) => this.#startedMs + at / MODEL_SAMPLE_RATE * 1000 / speed;
    for (; at < all && dueMs(at) <= performance.now(); at += CHUNK_SAMPLES) {
      if (cuts.length > 0 && at / MODEL_SAMPLE_RATE >= cuts[0]) {
        cuts.shift();
        socket.terminate();
        return;
      }
      const end = Math.min(all, at + CHUNK_SAMPLES);
      this.#sentMs[Math.floor(at / CHUNK_SAMPLES)] ??= performance.now();
      socket.send(this.#clip.bytes.subarray(2 * at, 2 * end));
    }
    if (at >= all) {
      socket.send(JSON.stringify({ type: "finish" }));
      return;
    }
    return setTimeout(next, Math.max(0, dueMs(at) - performance.now()), at);
  }

  /** Keeps frames; returns what is wrong with them, if anything. */
  #hear(data: Uint8Array): string | undefined {
    const nowMs = performance.now();
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const [first, count] = [view.getUint32(4, true), view.getUint32(8, true)];
    if (first !== this.#frames) return `frame ${first} came where ${this.#frames} was due`;
    for (let i = 0; i < count * this.#width; i++) {
      this.#heard[first * this.#width + i] = view.getFloat32(HEADER_BYTES + 4 * i, true);
    }
    this.#frames += count;
    for (let frame = first; frame < first + count; frame++) {
      const completes = Math.floor((frame * HOP_SAMPLES + FIRST_FRAME_SAMPLES - 1) / CHUNK_SAMPLES);
      const sentMs = this.#sentMs[completes]; // undefined for the tail, which comes after `finish`
      if (sentMs !== undefined) this.#latenciesMs.push(nowMs - sentMs);
    }
  }
}
