/** Audio as the bytes that a stream sends. */
import type { Encoding, OpusEncoding, PcmEncoding } from "./protocol.ts";

/** Bytes of one sample of one channel. */
export const SAMPLE_BYTES: Readonly<Record<PcmEncoding, number>> = {
  s16le: 2,
  f32le: 4,
  mulaw: 1,
  alaw: 1,
};

/** Whether a stream sends packets or a recorder's bytes instead of samples. */
export function isOpus(encoding: Encoding): encoding is OpusEncoding {
  return encoding === "opus" || encoding === "ogg-opus" || encoding === "webm-opus";
}

/** Audio to send: samples, or bytes in the stream's encoding. */
export type Audio = Float32Array | Int16Array | Uint8Array | ArrayBuffer;

/**
 * Audio as bytes of an encoding; always a copy.
 *
 * @throws {TypeError} for samples to convert to µ-law, A-law or Opus, and for anything else
 */
export function encodeAudio(audio: Audio, encoding: Encoding): Uint8Array<ArrayBuffer> {
  if (audio instanceof ArrayBuffer) return new Uint8Array(audio.slice(0));
  if (audio instanceof Uint8Array) return Uint8Array.from(audio);
  const isFloat = audio instanceof Float32Array;
  if (!isFloat && !(audio instanceof Int16Array)) {
    throw new TypeError("audio must be a Float32Array, an Int16Array or bytes");
  }
  if (encoding === "f32le") {
    return new Uint8Array(Float32Array.from(audio, isFloat ? asItIs : wordToFloat).buffer);
  }
  if (encoding !== "s16le") {
    throw new TypeError(
      `samples cannot be converted to ${encoding}: send bytes, or use f32le or s16le`,
    );
  }
  return new Uint8Array(Int16Array.from(audio, isFloat ? floatToWord : asItIs).buffer);
}

function asItIs(sample: number): number {
  return sample;
}

function wordToFloat(word: number): number {
  return word / 32768;
}

function floatToWord(sample: number): number {
  return Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
}
