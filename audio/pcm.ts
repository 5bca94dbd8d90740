/**
 * Bytes of raw audio → floats, mono or of every channel.
 *
 * Integers are divided by their full scale (s16 / 32768, u8 (x − 128) / 128, s24 / 2²³, s32 / 2³¹;
 * µ-law and A-law after decoding to 16 bits), floats stay as they are, beyond ±1 too; for mono,
 * channels are averaged. Nothing is clipped or normalised.
 */
import { CpcError } from "../errors.ts";
import { alawToS16, mulawToS16 } from "./g711.ts";

/** Encodings of a stream of samples. */
export const PCM_ENCODINGS = ["s16le", "f32le", "mulaw", "alaw"] as const;
/** One of {@linkcode PCM_ENCODINGS}. */
export type PcmEncoding = (typeof PCM_ENCODINGS)[number];
/** Every known little-endian sample encoding: those of streams, and those in WAV files. */
export type SampleEncoding = PcmEncoding | "u8" | "s24le" | "s32le" | "f64le";

/** Most channels of a stream. */
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
  mulaw: (view, at) => MULAW[view.getUint8(at)]!,
  alaw: (view, at) => ALAW[view.getUint8(at)]!,
  s16le: (view, at) => view.getInt16(at, true) / 32768,
  s24le: (view, at) => (view.getInt8(at + 2) * 65536 + view.getUint16(at, true)) / 8388608,
  s32le: (view, at) => view.getInt32(at, true) / 2147483648,
  f32le: (view, at) => view.getFloat32(at, true),
  f64le: (view, at) => view.getFloat64(at, true),
};

/**
 * Whole frames of interleaved samples as mono floats: the mean of all channels, or one of them.
 *
 * @param bytes a whole number of frames of `channels` samples
 * @param options `channel`: 0-based, instead of the mean; `firstSample`: index of the first frame,
 *   for messages
 * @throws {CpcError} `invalid_audio` for a sample that is NaN, infinite or beyond float32
 */
export function toMono(
  bytes: Uint8Array,
  options: { encoding: SampleEncoding; channels: number; channel?: number; firstSample?: number },
): Float32Array<ArrayBuffer> {
  const { encoding, channels, channel, firstSample = 0 } = options;
  if (channels === 1) return toInterleaved(bytes, { encoding, channels, firstSample });
  const read = READERS[encoding];
  const sampleBytes = BYTES_PER_SAMPLE[encoding];
  const frameBytes = sampleBytes * channels;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const mono = new Float32Array(bytes.byteLength / frameBytes);
  if (channel !== undefined) {
    for (let i = 0, at = channel * sampleBytes; i < mono.length; i++, at += frameBytes) {
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
    if (channel !== undefined) toMono(bytes, { encoding, channels, firstSample });
    refuseNonFinite(mono, { firstSample });
  }
  return mono;
}

/**
 * Whole frames of interleaved samples as floats `[n, channels]`.
 *
 * @param bytes a whole number of frames of `channels` samples
 * @param options `firstSample`: index of the first frame, for messages
 * @throws {CpcError} `invalid_audio` for a sample that is NaN, infinite or beyond float32
 */
export function toInterleaved(
  bytes: Uint8Array,
  { encoding, channels, firstSample = 0 }: {
    encoding: SampleEncoding;
    channels: number;
    firstSample?: number;
  },
): Float32Array<ArrayBuffer> {
  if (encoding === "s16le") return s16ToFloats(bytes);
  const [read, sampleBytes] = [READERS[encoding], BYTES_PER_SAMPLE[encoding]];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(bytes.byteLength / sampleBytes);
  for (let i = 0, at = 0; i < samples.length; i++, at += sampleBytes) samples[i] = read(view, at);
  if (encoding === "f32le" || encoding === "f64le") {
    refuseNonFinite(samples, { firstSample, channels });
  }
  return samples;
}

/** @param options `channels`: of interleaved samples */
function refuseNonFinite(
  samples: Float32Array,
  { firstSample, channels = 1 }: { firstSample: number; channels?: number },
): void {
  for (let i = 0; i < samples.length; i++) {
    if (Number.isFinite(samples[i])) continue;
    const where = firstSample + Math.floor(i / channels);
    const of = channels > 1 ? ` of channel ${i % channels}` : "";
    throw new CpcError(
      "invalid_audio",
      `sample ${where}${of} is ${samples[i]}; every sample must be a finite number`,
    );
  }
}

/** Little-endian 16-bit samples, those of the usual stream, without a view per message. */
function s16ToFloats(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(bytes.length >> 1);
  for (let i = 0, at = 0; i < floats.length; i++, at += 2) {
    floats[i] = (((bytes[at + 1]! << 24) >> 16) | bytes[at]!) / 32768;
  }
  return floats;
}
