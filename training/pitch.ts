/** Changes pitch but not tempo: a window sounds as if spoken by a higher or lower voice. */
import { StreamingResampler } from "../audio/resample.ts";

/** Ratios of pitch are multiples of 1 / this, so that few resampling filters are needed. */
const RATIO_STEPS = 40;
/** 25 ms; pieces overlap by half. */
const PIECE = 400;
const HOP = PIECE / 2;
/** A piece may start up to 5 ms from its proper place. */
const SEARCH = 80;
/** Comparisons look at every second sample. */
const STRIDE = 2;

/** Hann window, whose halves add up to 1. */
const HANN = Float32Array.from(
  { length: PIECE },
  (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * i / PIECE),
);

/**
 * Changes the pitch: stretches time by WSOLA (Verhelst and Roelands 1993), then resamples to the
 * original length.
 *
 * @param samples at 16 kHz
 * @param semitones from −12 to 12; the ratio of frequencies is rounded to a 40th
 * @returns as many samples
 */
export function pitchShifted(
  samples: Float32Array<ArrayBuffer>,
  semitones: number,
): Float32Array<ArrayBuffer> {
  const ratio = Math.round(2 ** (semitones / 12) * RATIO_STEPS) / RATIO_STEPS;
  if (ratio === 1) return samples;
  const long = stretched(samples, ratio);
  const resampler = new StreamingResampler({
    fromRate: Math.round(16_000 * ratio),
    toRate: 16_000,
  });
  const out = new Float32Array(samples.length);
  let at = 0;
  for (const part of [resampler.push(long), resampler.flush()]) {
    out.set(part.subarray(0, out.length - at), at);
    at = Math.min(out.length, at + part.length);
  }
  return out;
}

/** The same speech at the same pitch, `ratio` times as long. */
function stretched(samples: Float32Array, ratio: number): Float32Array<ArrayBuffer> {
  const length = Math.ceil(samples.length * ratio) + 1;
  const out = new Float32Array(length + PIECE);
  const last = samples.length - PIECE;
  if (last < 0) {
    throw new RangeError(`pitch needs at least ${PIECE} samples, got ${samples.length}`);
  }
  let goesOn = 0; // where the previous piece would continue in the samples
  for (let to = 0; to < length; to += HOP) {
    const from = to === 0
      ? 0
      : likest(samples, Math.min(last, goesOn), Math.min(last, Math.round(to / ratio)));
    for (let i = 0; i < PIECE; i++) {
      out[to + i] += samples[from + i] * (to === 0 && i < HOP ? 1 : HANN[i]);
    }
    goesOn = from + HOP;
  }
  return out.subarray(0, length);
}

/**
 * The start near `aim` of the piece most like the one at `wanted`; `aim` itself when none is
 * better, as in silence.
 */
function likest(samples: Float32Array, wanted: number, aim: number): number {
  const highest = Math.min(samples.length - PIECE, aim + SEARCH);
  let best = aim;
  let most = likeness(samples, wanted, aim);
  for (let from = Math.max(0, aim - SEARCH); from <= highest; from++) {
    const like = likeness(samples, wanted, from);
    if (like > most) [best, most] = [from, like];
  }
  return best;
}

function likeness(samples: Float32Array, wanted: number, from: number): number {
  let product = 0;
  let energy = 1e-9;
  for (let i = 0; i < PIECE; i += STRIDE) {
    product += samples[from + i] * samples[wanted + i];
    energy += samples[from + i] ** 2;
  }
  return product / Math.sqrt(energy);
}
