/** Noises that a seed repeats, each of root mean square 1. */
import { below, normal } from "../../model/seeded.ts";

/** The kinds of noise. */
export const NOISES = ["white", "pink", "hum", "babble"] as const;
/** One of {@linkcode NOISES}. */
export type Noise = typeof NOISES[number];

const SAMPLE_RATE = 16_000;
/** Voices that babble is made of. */
const BABBLE_VOICES = 6;
/** Harmonics of a hum. */
const HARMONICS = 12;

/** Where a noise comes from. */
export interface NoiseSource {
  readonly random: () => number;
  /** A recording of somebody who speaks, for babble; each call gives another. */
  readonly voice?: () => Float32Array;
}

/**
 * Draws a noise.
 *
 * @returns `samples` values
 * @throws {TypeError} for babble without voices
 */
export function drawNoise(
  kind: Noise,
  samples: number,
  source: NoiseSource,
): Float32Array<ArrayBuffer> {
  return toUnit(MAKERS[kind](samples, source));
}

type Maker = (samples: number, source: NoiseSource) => Float32Array<ArrayBuffer>;

const MAKERS: Readonly<Record<Noise, Maker>> = {
  white: (samples, { random }) => Float32Array.from({ length: samples }, () => normal(random)),
  pink,
  hum,
  babble,
};

/** Power falls by 3 dB an octave: Paul Kellet's filter of three poles over white noise. */
function pink(samples: number, { random }: NoiseSource): Float32Array<ArrayBuffer> {
  let [slow, middle, fast] = [0, 0, 0];
  return Float32Array.from({ length: samples }, () => {
    const white = normal(random);
    slow = 0.99765 * slow + white * 0.099046;
    middle = 0.963 * middle + white * 0.2965164;
    fast = 0.57 * fast + white * 1.0526913;
    return slow + middle + fast + white * 0.1848;
  });
}

/** Mains hum: 50 or 60 Hz and its harmonics, the higher the weaker, over a little white noise. */
function hum(samples: number, { random }: NoiseSource): Float32Array<ArrayBuffer> {
  const base = random() < 0.5 ? 50 : 60;
  const parts = Array.from({ length: HARMONICS }, (_, i) => ({
    step: 2 * Math.PI * base * (i + 1) / SAMPLE_RATE,
    phase: 2 * Math.PI * random(),
    level: (0.3 + 0.7 * random()) / (i + 1),
  }));
  return Float32Array.from({ length: samples }, (_, t) => {
    let sum = 0.02 * normal(random);
    for (const { step, phase, level } of parts) sum += level * Math.sin(step * t + phase);
    return sum;
  });
}

/** Several people at once, each as loud as the others. */
function babble(samples: number, { random, voice }: NoiseSource): Float32Array<ArrayBuffer> {
  if (!voice) throw new TypeError("babble needs voices");
  const sum = new Float32Array(samples);
  for (let v = 0; v < BABBLE_VOICES; v++) {
    for (let at = 0; at < samples;) {
      const said = toUnit(voice().slice());
      const from = at === 0 ? below(said.length, random) : 0; // not everybody begins a word
      const length = Math.min(samples - at, said.length - from);
      for (let i = 0; i < length; i++) sum[at + i] += said[from + i];
      at += Math.max(1, length);
    }
  }
  return sum;
}

/** Scales to a root mean square of 1, in place; silence stays silence. */
function toUnit(samples: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  let power = 0;
  for (const x of samples) power += x * x;
  const scale = power > 0 ? Math.sqrt(samples.length / power) : 0;
  for (let i = 0; i < samples.length; i++) samples[i] *= scale;
  return samples;
}
