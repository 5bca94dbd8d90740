/** A stream of Opus, decoded by a worker beside the socket's thread. */
import { CpcError } from "../errors.ts";
import { type Decoders, type Job, streamDecoders } from "./decoders.ts";
import type { LiveOptions } from "./live_opus.ts";
import { joinChunks } from "./rechunk.ts";

/** Samples at 16 kHz that are kept for {@linkcode LiveDecoder.since}: two seconds. */
export const RECENT_SAMPLES = 32_000;
const MAGIC = { "ogg-opus": [0x4f, 0x67, 0x67, 0x53], "webm-opus": [0x1a, 0x45, 0xdf, 0xa3] };
/** Where an Ogg page says, and how, that it begins a stream. */
const OGG_FLAGS_AT = 5;
const OGG_BEGINS = 2;

/**
 * Bytes in, samples at 16 kHz out: `push` when `ready` has said false, `take` when it has said
 * true. It outlives the sockets of its session, so a resume goes on with the decoder's state.
 */
export class LiveDecoder {
  readonly #options: LiveOptions;
  readonly #decoders: Decoders;
  readonly #width: number;
  #job?: Job;
  #next?: Promise<void>;
  /** The worker waits for bytes. */
  #isWaiting = false;
  /** What it gets when it asks; null: no more. */
  #unsent: (Uint8Array<ArrayBuffer> | null)[] = [];
  #isEnded = false;
  #isReset = false;
  #failure?: unknown;
  #decoded: Float32Array<ArrayBuffer>[] = [];
  #recent: Float32Array[] = [];
  #bytes = 0;
  #samples = 0;
  #segment = 0;

  /** @param decoders tests bring their own */
  constructor(
    options: LiveOptions & { readonly streams: number },
    decoders: Decoders = streamDecoders,
  ) {
    const { streams, encoding, channels, channel, split } = options;
    this.#options = { encoding, channels, channel, split };
    this.#width = streams;
    this.#decoders = decoders;
  }

  /** Whether every message is a packet, and must not be cut or joined. */
  get takesPackets(): boolean {
    return this.#options.encoding === "opus";
  }

  /** Bytes of the segment that it was given. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Samples of the segment, per channel at 16 kHz, that were taken from it. */
  get samples(): number {
    return this.#samples;
  }

  get segment(): number {
    return this.#segment;
  }

  /**
   * Resolves to whether there are samples to take; false once all bytes have been decoded.
   *
   * @throws {CpcError} `invalid_audio`, `unsupported_audio`; `internal` if the worker broke
   */
  async ready(): Promise<boolean> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#decoded.length > 0) return true;
      if (!this.#job || this.#isWaiting || this.#isEnded) return false;
      this.#next ??= this.#receive(this.#job).finally(() => this.#next = undefined);
      await this.#next;
    }
  }

  /** Gives it a message; a copy is made. All samples of the one before must have been taken. */
  push(message: Uint8Array): void {
    if (this.#isReset && beginsAnew(message, this.#options.encoding)) this.#stop();
    this.#isReset = false;
    if (!this.#job) {
      this.#job = this.#decoders.open({ type: "stream", ...this.#options });
      this.#job.send({ type: "pull" });
    }
    this.#bytes += message.length;
    this.#unsent.push(new Uint8Array(message)); // a slice of a Buffer would be no copy
    this.#feed();
  }

  /** The next samples, `[n, streams]`. */
  take(): Float32Array<ArrayBuffer> | undefined {
    const samples = this.#decoded.shift();
    if (!samples) return undefined;
    this.#job?.send({ type: "pull" });
    this.#samples += samples.length / this.#width;
    this.#recent.push(samples.slice());
    let kept = this.#recent.reduce((sum, { length }) => sum + length, 0);
    while (kept - this.#recent[0]!.length > RECENT_SAMPLES * this.#width) {
      kept -= this.#recent.shift()!.length;
    }
    return samples;
  }

  /** The samples that were taken after a sample; undefined if that is too long ago. */
  since(sample: number): Float32Array<ArrayBuffer> | undefined {
    const missing = (this.#samples - sample) * this.#width;
    const recent = joinChunks(this.#recent);
    if (missing < 0 || missing > recent.length) return undefined;
    return recent.slice(recent.length - missing);
  }

  /** No more bytes come in this segment. */
  end(): void {
    if (!this.#job) this.#isEnded = true;
    if (this.#isEnded) return;
    this.#unsent.push(null);
    this.#feed();
  }

  /**
   * Begins a segment: bare packets meet a new decoder; a container goes on, unless another one
   * begins.
   */
  reset(): void {
    if (this.takesPackets || this.#isEnded) this.#stop();
    this.#isReset = true;
    this.#bytes = this.#samples = 0;
    this.#recent = [];
    this.#segment++;
  }

  /** Ends it for good. */
  close(): void {
    this.#stop();
    this.#failure = new CpcError("internal", "the stream's decoder was closed");
  }

  #stop(): void {
    this.#job?.close();
    this.#job = undefined;
    this.#isWaiting = this.#isEnded = false;
    this.#unsent = [];
    this.#decoded = [];
  }

  /** Sends what waits, if the worker does. */
  #feed(): void {
    const bytes = this.#isWaiting ? this.#unsent.shift() : undefined;
    if (bytes === undefined) return;
    this.#isWaiting = false;
    this.#job?.send({ type: "bytes", bytes }, bytes ? [bytes.buffer] : []);
  }

  async #receive(job: Job): Promise<void> {
    try {
      const event = await job.next();
      if (job !== this.#job) return;
      if (event.type === "chunk") this.#decoded.push(event.samples);
      if (event.type === "need") {
        this.#isWaiting = true;
        this.#feed();
      }
      if (event.type === "done") this.#isEnded = true;
      if (event.type === "error") throw new CpcError(event.code, event.message);
    } catch (error) {
      this.#failure ??= error;
      job.close();
    }
  }
}

/** Whether bytes after a reset are the beginning of another container. */
function beginsAnew(bytes: Uint8Array, encoding: LiveOptions["encoding"]): boolean {
  if (encoding === "opus" || !MAGIC[encoding].every((byte, i) => bytes[i] === byte)) return false;
  return encoding === "webm-opus" || ((bytes[OGG_FLAGS_AT] ?? 0) & OGG_BEGINS) !== 0;
}
