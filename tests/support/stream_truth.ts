/** What a stream must say, from the plain reference. */
import assert from "node:assert/strict";
import { toMono } from "../../audio/pcm.ts";
import { StreamingResampler } from "../../audio/resample.ts";
import { referenceForward, referencePredictions } from "../../model/reference.ts";
import type { Weights } from "../../model/weights.ts";
import { maxDifference } from "./golden.ts";
import { random } from "./stream.ts";
import type { HeardFrame } from "./stream_client.ts";
import { tiny } from "./stream_server.ts";

/** A frame with every output. */
export type TrueFrame = Required<Omit<HeardFrame, "channel">>;

/** What was computed, by weights and signal: tests ask for the same again and again. */
const known = new WeakMap<Weights, WeakMap<Float32Array, readonly TrueFrame[]>>();

/** Every output of a whole signal, frame by frame. */
export function truthOf(samples: Float32Array, weights: Weights = tiny): readonly TrueFrame[] {
  const ofWeights = known.get(weights) ?? new WeakMap<Float32Array, readonly TrueFrame[]>();
  known.set(weights, ofWeights);
  const truth = ofWeights.get(samples) ?? computed(samples, weights);
  ofWeights.set(samples, truth);
  return truth;
}

function computed(samples: Float32Array, weights: Weights): TrueFrame[] {
  const { latent, context, hidden } = referenceForward(weights, samples);
  const predictions = referencePredictions(weights, hidden);
  const row = ({ data, width }: { data: Float64Array; width: number }, t: number) =>
    Array.from(data.subarray(t * width, (t + 1) * width));
  return Array.from({ length: context.frames }, (_, t) => {
    const all = row(predictions, t);
    const prediction = Array.from(
      { length: all.length / latent.width },
      (_, k) => all.slice(k * latent.width, (k + 1) * latent.width),
    );
    return { index: t, context: row(context, t), latent: row(latent, t), prediction };
  });
}

/**
 * Asserts frames: exactly these indices in this order, every output that came within the tolerance,
 * none missing.
 */
export function assertFrames(
  heard: readonly HeardFrame[],
  truth: readonly TrueFrame[],
  { output, steps = [1, 2, 3], every = 1, tolerance = 1e-4 }: {
    output: readonly ("context" | "latent" | "prediction")[];
    steps?: readonly number[];
    every?: number;
    tolerance?: number;
  },
): void {
  assert.deepEqual(
    heard.map(({ index }) => index),
    truth.map(({ index }) => index).filter((f) => f % every === 0),
  );
  for (const frame of heard) {
    const expected = truth[frame.index - truth[0].index];
    assert.deepEqual(Object.keys(frame).sort(), [...output, "index"].sort());
    if (frame.context) assert.ok(maxDifference(frame.context, expected.context) <= tolerance);
    if (frame.latent) assert.ok(maxDifference(frame.latent, expected.latent) <= tolerance);
    const predicted = steps.flatMap((k) => expected.prediction[k - 1]);
    if (frame.prediction) assert.ok(maxDifference(frame.prediction.flat(), predicted) <= tolerance);
  }
}

/** Noise as 16-bit samples: their bytes, and the floats that they mean. */
export function noise(
  length: number,
  seed: number,
): { bytes: Uint8Array<ArrayBuffer>; samples: Float32Array<ArrayBuffer> } {
  const next = random(seed);
  const pcm = Int16Array.from({ length }, () => Math.floor((next() * 2 - 1) * 20_000));
  return { bytes: new Uint8Array(pcm.buffer), samples: Float32Array.from(pcm, (x) => x / 32768) };
}

/** Noise that is loud for half a second, then quiet for half a second. */
export function bursts(length: number, seed: number): ReturnType<typeof noise> {
  const { bytes } = noise(length, seed);
  const pcm = new Int16Array(bytes.buffer).map((x, i) => i % 16_000 < 8_000 ? x : x / 20);
  return { bytes: new Uint8Array(pcm.buffer), samples: Float32Array.from(pcm, (x) => x / 32768) };
}

/**
 * Noise of several channels.
 *
 * @param options `length`: samples of each; `sampleBytes`: 2 for s16le, 1 for µ-law
 * @returns the interleaved bytes, and those of each channel
 */
export function channelNoise(
  channels: number,
  { length, seed, sampleBytes }: { length: number; seed: number; sampleBytes: number },
): { bytes: Uint8Array<ArrayBuffer>; each: Uint8Array<ArrayBuffer>[] } {
  const each = Array.from(
    { length: channels },
    (_, c) => noise(length, 100 * seed + c).bytes.subarray(0, length * sampleBytes),
  );
  const bytes = new Uint8Array(channels * length * sampleBytes);
  for (const [c, one] of each.entries()) {
    for (let i = 0; i < one.length; i++) {
      const sample = Math.floor(i / sampleBytes);
      bytes[(sample * channels + c) * sampleBytes + i % sampleBytes] = one[i];
    }
  }
  return { bytes, each };
}

/** The frames of one channel of a split stream, as those of a stream of that channel alone. */
export function channelFrames(heard: readonly HeardFrame[], channel: number): HeardFrame[] {
  return heard.filter((frame) => frame.channel === channel)
    .map(({ channel: _, ...frame }) => frame);
}

/** Cuts bytes into chunks of random lengths, from 1 byte to `longest`. */
export function* chunksOf(
  bytes: Uint8Array,
  { longest, seed }: { longest: number; seed: number },
): Generator<Uint8Array> {
  const next = random(seed);
  for (let at = 0; at < bytes.length;) {
    const length = next() < 0.2 ? 1 : 1 + Math.floor(next() * longest);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

/**
 * The 16 kHz signal that bytes mean: s16le at 16 kHz where samples have 2 bytes, µ-law at 8 kHz
 * where they have 1.
 */
export function signalOf(bytes: Uint8Array, sampleBytes: number): Float32Array {
  if (sampleBytes === 2) {
    return toMono(bytes.subarray(0, bytes.length & ~1), { encoding: "s16le", channels: 1 });
  }
  const resampler = new StreamingResampler({ fromRate: 8_000 });
  const body = resampler.push(toMono(bytes, { encoding: "mulaw", channels: 1 }));
  return Float32Array.from([...body, ...resampler.flush()]);
}

/** Asserts that the frames of every channel are those of its own signal. */
export function assertChannels(
  frames: readonly HeardFrame[],
  signals: readonly Float32Array[],
  options: Parameters<typeof assertFrames>[2],
): void {
  for (const [c, signal] of signals.entries()) {
    assertFrames(channelFrames(frames, c), truthOf(signal), options);
  }
  assert.equal(frames.filter(({ channel = -1 }) => channel in signals).length, frames.length);
}
