/**
 * Bytes of raw audio → mono floats.
 *
 * Integers are divided by their full scale (s16 / 32768, u8 (x − 128) / 128, s24 / 2²³, s32 / 2³¹;
 * µ-law and A-law after decoding to 16 bits), floats are taken as they are, beyond ±1 too; channels
 * are averaged. Nothing is clipped or normalised.
 */
import { CpcError } from "../errors.ts";

/** Encodings a stream may be sent in. */
export const STREAM_ENCODINGS = ["s16le", "f32le", "mulaw", "alaw"] as const;
/** One of {@linkcode STREAM_ENCODINGS}. */
export type StreamEncoding = (typeof STREAM_ENCODINGS)[number];
/**
 * Every little-endian sample encoding known here: those of streams, and those found in WAV files.
 */
export type SampleEncoding = StreamEncoding | "u8" | "s24le" | "s32le" | "f64le";

/** The most channels of a stream. */
export const MAX_STREAM_CHANNELS = 8;

/** Bytes of one sample. */
export const BYTES_PER_SAMPLE: Readonly<Record<SampleEncoding, number>> = {
  u8: 1,
  mulaw: 1,
  alaw: 1,
  s16le: 2,
  s24le: 3,
  s32le: 4,
  f32le: 4,
  f64le: 8,
};

/** Reads the sample at a byte offset as a float. */
type Reader = (view: DataView, at: number) => number;

const MULAW = Float32Array.from({ length: 256 }, (_, code) => mulawToS16(code) / 32768);
const ALAW = Float32Array.from({ length: 256 }, (_, code) => alawToS16(code) / 32768);

const READERS: Readonly<Record<SampleEncoding, Reader>> = {
  u8: (view, at) => (view.getUint8(at) - 128) / 128,
  mulaw: (view, at) => MULAW[view.getUint8(at)],
  alaw: (view, at) => ALAW[view.getUint8(at)],
  s16le: (view, at) => view.getInt16(at, true) / 32768,
  s24le: (view, at) => (view.getInt8(at + 2) * 65536 + view.getUint16(at, true)) / 8388608,
  s32le: (view, at) => view.getInt32(at, true) / 2147483648,
  f32le: (view, at) => view.getFloat32(at, true),
  f64le: (view, at) => view.getFloat64(at, true),
};

/** A µ-law code as a 16-bit sample (ITU-T G.711). */
export function mulawToS16(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 132) << ((bits & 0x70) >> 4)) - 132;
  return bits & 0x80 ? 0 - magnitude : magnitude;
}

/** An A-law code as a 16-bit sample (ITU-T G.711). */
export function alawToS16(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits & 0x70) >> 4;
  const step = ((bits & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 256) << (segment - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}

/**
 * Whole frames of interleaved samples as mono floats: the mean of all channels, or one of them.
 *
 * @param bytes a whole number of frames of `channels` samples
 * @param options `channel`: 0-based, instead of the mean; `firstSample`: index of the first frame,
 *   for messages
 * @throws {CpcError} `invalid_audio` at a sample that is NaN, infinite or beyond float32
 */
export function toMono(
  bytes: Uint8Array,
  options: { encoding: SampleEncoding; channels: number; channel?: number; firstSample?: number },
): Float32Array<ArrayBuffer> {
  const { encoding, channels, channel, firstSample = 0 } = options;
  if (encoding === "s16le" && channels === 1) return s16ToFloats(bytes);
  const read = READERS[encoding];
  const sampleBytes = BYTES_PER_SAMPLE[encoding];
  const frameBytes = sampleBytes * channels;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const mono = new Float32Array(bytes.byteLength / frameBytes);
  if (channels === 1 || channel !== undefined) {
    for (let i = 0, at = (channel ?? 0) * sampleBytes; i < mono.length; i++, at += frameBytes) {
      mono[i] = read(view, at);
    }
  } else {
    for (let i = 0, at = 0; i < mono.length; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++, at += sampleBytes) sum += read(view, at);
      mono[i] = sum / channels;
    }
  }
  if (encoding === "f32le" || encoding === "f64le") {
    // the others must be finite too
    if (channel !== undefined && channels > 1) toMono(bytes, { encoding, channels, firstSample });
    refuseNonFinite(mono, firstSample);
  }
  return mono;
}

function refuseNonFinite(mono: Float32Array, firstSample: number): void {
  for (let i = 0; i < mono.length; i++) {
    if (!Number.isFinite(mono[i])) {
      throw new CpcError(
        "invalid_audio",
        `sample ${firstSample + i} is ${mono[i]}; every sample must be a finite number`,
      );
    }
  }
}

/** What a {@linkcode PcmDecoder} remembers between messages; can be structured-cloned. */
export interface PcmSnapshot {
  readonly samples: number;
  readonly pending: Uint8Array;
}

/** How a stream's bytes are laid out. */
export interface PcmOptions {
  encoding: StreamEncoding;
  /** 1…8, interleaved. */
  channels?: number;
  /** The channel to hear, 0-based; by default the mean of all. */
  channel?: number;
}

/**
 * Turns messages of raw audio into mono floats; samples may be split anywhere between messages.
 *
 * @throws {CpcError} `invalid_option` for an unknown encoding or a channel that is not there
 */
export class PcmDecoder {
  readonly encoding: StreamEncoding;
  readonly channels: number;
  readonly channel: number | undefined;
  /** Bytes of one sample of every channel. */
  readonly frameBytes: number;
  #samples = 0;
  #pending: Uint8Array; // [frameBytes], of which pendingBytes count
  #pendingBytes = 0;

  constructor({ encoding, channels = 1, channel }: PcmOptions) {
    if (!STREAM_ENCODINGS.includes(encoding)) {
      throw invalidOption(
        "encoding",
        `must be one of ${STREAM_ENCODINGS.join(", ")}, got ${encoding}`,
      );
    }
    if (!Number.isInteger(channels) || channels < 1 || channels > MAX_STREAM_CHANNELS) {
      throw invalidOption("channels", `must be 1 to ${MAX_STREAM_CHANNELS}, got ${channels}`);
    }
    if (
      channel !== undefined && (!Number.isInteger(channel) || channel < 0 || channel >= channels)
    ) {
      throw invalidOption(
        "channel",
        `must be 0 to ${channels - 1} with ${channels} channels, got ${channel}`,
      );
    }
    this.encoding = encoding;
    this.channels = channels;
    this.channel = channel;
    this.frameBytes = BYTES_PER_SAMPLE[encoding] * channels;
    this.#pending = new Uint8Array(this.frameBytes);
  }

  /** Samples per channel decoded so far. */
  get samples(): number {
    return this.#samples;
  }

  /** Bytes held because their sample (of all channels) is not whole yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Decodes what a message completes.
   *
   * @param bytes any number of bytes; none is fine
   * @returns mono samples at the stream's own rate; empty while not one is whole
   * @throws {CpcError} `invalid_audio` at a NaN or infinite sample
   */
  push(bytes: Uint8Array): Float32Array<ArrayBuffer> {
    const total = this.#pendingBytes + bytes.length;
    const whole = total - (total % this.frameBytes);
    if (whole === 0) {
      this.#pending.set(bytes, this.#pendingBytes);
      this.#pendingBytes = total;
      return new Float32Array(0);
    }
    let frames = bytes;
    if (this.#pendingBytes > 0) {
      frames = new Uint8Array(whole);
      frames.set(this.#pending.subarray(0, this.#pendingBytes));
      frames.set(bytes.subarray(0, whole - this.#pendingBytes), this.#pendingBytes);
    } else if (whole < bytes.length) {
      frames = bytes.subarray(0, whole);
    }
    const { encoding, channels, channel } = this;
    const mono = toMono(frames, { encoding, channels, channel, firstSample: this.#samples });
    this.#pending.set(bytes.subarray(whole - this.#pendingBytes));
    this.#pendingBytes = total - whole;
    this.#samples += mono.length;
    return mono;
  }

  /** Forgets everything: counts from sample 0, without pending bytes. */
  reset(): void {
    this.#samples = 0;
    this.#pendingBytes = 0;
  }

  /** The state as a value. */
  snapshot(): PcmSnapshot {
    return { samples: this.#samples, pending: this.#pending.slice(0, this.#pendingBytes) };
  }

  /** Continues from a {@linkcode snapshot} taken with the same options. */
  restore({ samples, pending }: PcmSnapshot): void {
    if (pending.length >= this.frameBytes) throw new RangeError("a snapshot of other options");
    this.#samples = samples;
    this.#pending.set(pending);
    this.#pendingBytes = pending.length;
  }
}

/** Little-endian 16-bit mono, the usual stream, without a view per message. */
function s16ToFloats(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(bytes.length >> 1);
  for (let i = 0, at = 0; i < floats.length; i++, at += 2) {
    floats[i] = (((bytes[at + 1] << 24) >> 16) | bytes[at]) / 32768;
  }
  return floats;
}

function invalidOption(param: string, problem: string): CpcError {
  return new CpcError("invalid_option", `${param} ${problem}`, { param });
}
