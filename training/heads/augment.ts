/** Variants of a recording that a head learns from: as it is, and with noise at another level. */
import { below, hashOf, seeded } from "../../model/seeded.ts";
import { drawNoise, type Noise } from "./noise.ts";

/** Samples of the stretches whose level is compared: 10 ms. */
const STRETCH = 160;
/** Stretches this far below the loudest, in dB, are not speech, whatever else they are. */
const ACTIVE_RANGE_DB = 30;

/** What a head's training set consists of besides the recordings themselves. */
export interface Augmentation {
  /** Noisy copies of each recording. */
  readonly copies: number;
  readonly noises: readonly Noise[];
  /** Signal-to-noise ratio in dB: lowest, highest. */
  readonly snrDb: readonly [number, number];
  /** Root mean square of the signal's loud stretches in dB of full scale: lowest, highest. */
  readonly levelDb: readonly [number, number];
}

/** One copy's noise and level. */
export interface Variation {
  readonly noise?: Noise;
  readonly snrDb: number;
  readonly levelDb: number;
}

/**
 * The variation of a copy, from the seed and the recording's path alone.
 *
 * @param copy 1 or more; 0 is the recording itself, which has none
 */
export function variationOf(
  { noises, snrDb, levelDb }: Augmentation,
  { seed, path, copy }: { seed: number; path: string; copy: number },
): Variation {
  const random = seeded(hashOf(seed, "variation", path, copy));
  const within = ([low, high]: readonly [number, number]) => low + (high - low) * random();
  return {
    noise: noises[below(noises.length, random)],
    snrDb: within(snrDb),
    levelDb: within(levelDb),
  };
}

/**
 * A recording with noise, at a level. Both are set by its loud stretches, so that pauses count
 * neither for the level nor for the ratio.
 *
 * @param voice for babble
 */
export function varied(
  samples: Float32Array,
  { noise, snrDb, levelDb }: Variation,
  { random, voice }: { random: () => number; voice: () => Float32Array },
): Float32Array<ArrayBuffer> {
  const level = activeRms(samples);
  const out = Float32Array.from(samples);
  if (level === 0) return out; // silence has no level
  const gain = 10 ** (levelDb / 20) / level;
  const noiseGain = level * 10 ** (-snrDb / 20);
  const added = noise && drawNoise(noise, samples.length, { random, voice });
  for (let i = 0; i < out.length; i++) {
    out[i] = gain * (out[i] + noiseGain * (added?.[i] ?? 0));
  }
  return out;
}

/** Root mean square of the stretches of 10 ms within 30 dB of the loudest; 1 = full scale. */
export function activeRms(samples: Float32Array): number {
  const powers = powersOf(samples);
  const least = powers.reduce((a, b) => Math.max(a, b), 0) * 10 ** (-ACTIVE_RANGE_DB / 10);
  const active = powers.filter((power) => power >= least && power > 0);
  return active.length === 0
    ? 0
    : Math.sqrt(active.reduce((sum, power) => sum + power, 0) / active.length);
}

/** Mean power of each stretch of 10 ms, the last one shorter. */
export function powersOf(samples: Float32Array): Float64Array {
  const powers = new Float64Array(Math.ceil(samples.length / STRETCH));
  for (let s = 0; s < powers.length; s++) {
    const part = samples.subarray(s * STRETCH, (s + 1) * STRETCH);
    let sum = 0;
    for (const x of part) sum += x * x;
    powers[s] = sum / part.length;
  }
  return powers;
}
