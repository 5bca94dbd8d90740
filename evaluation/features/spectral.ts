/**
 * Baselines for CPC: log-mel spectra and MFCC, from 25 ms windows every 10 ms.
 *
 * Defined as in librosa (McFee et al. 2015) with
 * `n_fft=512, win_length=400, hop_length=160, center=True`: Slaney's mel scale and band areas, the
 * natural logarithm of the power, orthonormal DCT-II. Legend: N samples, T = 1 + ⌊N / 160⌋ frames,
 * B bands.
 */
import FFT from "fft.js";
import type { Rows } from "./rows.ts";

const SAMPLE_RATE = 16_000;
const FFT_SIZE = 512;
const WINDOW_SAMPLES = 400;
const HOP_SAMPLES = 160;
const LEAST_POWER = 1e-10;
const BINS = FFT_SIZE / 2 + 1;
/** Frames on each side of a slope. */
const DELTA_REACH = 4;

/** The part of fft.js used here; the package has no types. */
interface RealFft {
  realTransform(out: Float64Array, input: Float64Array): void;
}

/** Periodic Hann window in the middle of the FFT's frame. */
const HANN = Float64Array.from(
  { length: WINDOW_SAMPLES },
  (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * i / WINDOW_SAMPLES),
);

/** log-mel spectrum: `[T, B]`, natural logarithm of power. */
export function logMel(samples: Float32Array, { bands = 40 }: { bands?: number } = {}): Rows {
  const frames = 1 + Math.floor(samples.length / HOP_SAMPLES);
  const filters = melFilters(bands);
  const fft: RealFft = new FFT(FFT_SIZE);
  const windowed = new Float64Array(FFT_SIZE);
  const spectrum = new Float64Array(2 * FFT_SIZE);
  const power = new Float64Array(BINS);
  const data = new Float32Array(frames * bands);
  const lead = (FFT_SIZE - WINDOW_SAMPLES) / 2;
  for (let t = 0; t < frames; t++) {
    const first = t * HOP_SAMPLES - WINDOW_SAMPLES / 2;
    for (let i = 0; i < WINDOW_SAMPLES; i++) {
      windowed[lead + i] = HANN[i] * (samples[first + i] ?? 0);
    }
    fft.realTransform(spectrum, windowed);
    for (let bin = 0; bin < BINS; bin++) {
      power[bin] = spectrum[2 * bin] ** 2 + spectrum[2 * bin + 1] ** 2;
    }
    filters.forEach(({ first, weights }, band) => {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * power[first + i];
      data[t * bands + band] = Math.log(Math.max(LEAST_POWER, sum));
    });
  }
  return { frames, width: bands, data };
}

/**
 * Cepstrum of a log-mel spectrum: its first orthonormal DCT-II coefficients, `[T, coefficients]`,
 * the 0th (loudness) included.
 */
export function mfcc(
  { frames, width, data }: Rows,
  { coefficients = 13 }: { coefficients?: number } = {},
): Rows {
  const basis = Array.from({ length: coefficients }, (_, c) => {
    const scale = Math.sqrt((c === 0 ? 1 : 2) / width);
    return Float64Array.from(
      { length: width },
      (_, i) => scale * Math.cos(Math.PI * c * (2 * i + 1) / (2 * width)),
    );
  });
  const out = new Float32Array(frames * coefficients);
  for (let t = 0; t < frames; t++) {
    basis.forEach((cosine, c) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += cosine[i] * data[t * width + i];
      out[t * coefficients + c] = sum;
    });
  }
  return { frames, width: coefficients, data: out };
}

/** Slope of each feature over 9 frames by least squares, the edge frames repeated, `[T, D]`. */
export function deltas({ frames, width, data }: Rows): Rows {
  const out = new Float32Array(data.length);
  let norm = 0;
  for (let n = 1; n <= DELTA_REACH; n++) norm += 2 * n * n;
  for (let t = 0; t < frames; t++) {
    for (let i = 0; i < width; i++) {
      let sum = 0;
      for (let n = 1; n <= DELTA_REACH; n++) {
        sum += n *
          (data[Math.min(frames - 1, t + n) * width + i] - data[Math.max(0, t - n) * width + i]);
      }
      out[t * width + i] = sum / norm;
    }
  }
  return { frames, width, data: out };
}

/** A triangle over FFT bins. */
interface Filter {
  readonly first: number;
  readonly weights: Float64Array;
}

const filtersOf = new Map<number, readonly Filter[]>();

/** Triangles of equal area, evenly spaced on the mel scale from 0 to 8 kHz. */
function melFilters(bands: number): readonly Filter[] {
  const known = filtersOf.get(bands);
  if (known) return known;
  const top = melOf(SAMPLE_RATE / 2);
  const edges = Array.from({ length: bands + 2 }, (_, i) => hertzOf(top * i / (bands + 1)));
  const filters = Array.from({ length: bands }, (_, band) => {
    const [low, peak, high] = edges.slice(band, band + 3);
    const heights = Float64Array.from({ length: BINS }, (_, bin) => {
      const hertz = bin * SAMPLE_RATE / FFT_SIZE;
      return Math.max(0, Math.min((hertz - low) / (peak - low), (high - hertz) / (high - peak))) *
        2 / (high - low);
    });
    // a narrow band may lie between two bins
    const first = Math.max(0, heights.findIndex((height) => height > 0));
    return {
      first,
      weights: heights.subarray(first, heights.findLastIndex((height) => height > 0) + 1),
    };
  });
  filtersOf.set(bands, filters);
  return filters;
}

/** Slaney's scale: linear below 1 kHz, logarithmic above. */
const LINEAR_HERTZ = 200 / 3;
const LOG_FROM_HERTZ = 1000;
const LOG_STEP = Math.log(6.4) / 27;

function melOf(hertz: number): number {
  return LOG_FROM_HERTZ / LINEAR_HERTZ + Math.log(hertz / LOG_FROM_HERTZ) / LOG_STEP;
}

function hertzOf(mel: number): number {
  const knee = LOG_FROM_HERTZ / LINEAR_HERTZ;
  return mel < knee ? mel * LINEAR_HERTZ : LOG_FROM_HERTZ * Math.exp(LOG_STEP * (mel - knee));
}
