/**
 * Batches of windows: which audio a step sees depends only on the seed and the step's number, so
 * resuming needs no state.
 */
import { joinChunks } from "../audio/rechunk.ts";
import { StreamingResampler } from "../audio/resample.ts";
import { CpcError } from "../errors.ts";
import { below, hashOf, normal, seeded } from "../model/seeded.ts";
import type { NegativeRows } from "./sampled_loss.ts";
import { drawNegatives } from "../model/sampled_objective.ts";
import { speedsOf, type TrainingConfig } from "./config.ts";
import type { Corpus, Span } from "./corpus.ts";
import { pitchShifted } from "./pitch.ts";

/** What a step sees. */
export interface Batch {
  /** `[N, window_samples]`, the windows of a voice one after the other. */
  readonly samples: Float32Array;
  /**
   * The same with noise or at another pitch, for the context; undefined without this augmentation.
   */
  readonly past?: Float32Array;
  /** Seeds for what is drawn later in the step. */
  readonly seed: number;
}

/** One speaker of a source, or one recording of unknown speakers. */
interface Voice {
  readonly spans: readonly Span[];
  readonly samples: number;
}

/** Names that stand for unknown speakers. */
const UNKNOWN_SPEAKERS = new Set(["", "unlabelled", "multi"]);
/** A span below this RMS is silence, from which nothing is drawn. */
const SILENT_RMS = 1e-3;

/** Advice about a split without speech. */
const SPLIT_ADVICE =
  "the manifest's column split says what to train on and what to hold out (train, dev), see " +
  "docs/training.md";

/** Draws batches from the recordings of a corpus. */
export class Batches {
  readonly #config: TrainingConfig;
  readonly #corpus: Corpus;
  /** The end of each source's share of [0, 1), and its voices. */
  readonly #sources: { readonly upTo: number; readonly voices: readonly Voice[] }[] = [];
  readonly #rms = new Map<Span, number>();

  /**
   * @param corpus holds only what may be drawn
   * @param names for errors: of the corpus, and of the configuration's member that names its
   *   sources
   * @throws {CpcError} `invalid_option` when everything is silent, or a source with a weight has no
   *   recordings
   */
  constructor(
    corpus: Corpus,
    config: TrainingConfig,
    names: { corpus: string; member: string } = { corpus: "training data", member: "data.weights" },
  ) {
    this.#config = config;
    this.#corpus = corpus;
    for (const span of corpus.spans) this.#rms.set(span, corpus.rms(span));
    const audible = corpus.spans.filter((span) => (this.#rms.get(span) ?? 0) > SILENT_RMS);
    if (audible.length === 0) {
      const what = corpus.spans.length > 0 ? "nothing but silence" : "no recordings";
      throw new CpcError("invalid_option", `the ${names.corpus} has ${what}: ${SPLIT_ADVICE}`);
    }
    const bySource = Map.groupBy(audible, ({ source }) => source);
    const weights = config.data.weights ??
      Object.fromEntries([...bySource].map(([source, spans]) => [source, samplesOf(spans)]));
    const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
    let upTo = 0;
    for (const [source, weight] of Object.entries(weights)) {
      const spans = bySource.get(source);
      if (!spans) {
        const known = [...bySource.keys()].join(", ");
        throw new CpcError(
          "invalid_option",
          `${names.member} names ${source}, but the ${names.corpus} has only ${known}`,
        );
      }
      const voices = Map.groupBy(
        spans,
        ({ path, speaker }) => UNKNOWN_SPEAKERS.has(speaker) ? path : speaker,
      );
      upTo += weight / total;
      this.#sources.push({
        upTo,
        voices: [...voices.values()].map((spans) => ({ spans, samples: samplesOf(spans) })),
      });
    }
  }

  /** Voices by source, from which batches are drawn. */
  get voices(): number {
    return this.#sources.reduce((sum, { voices }) => sum + voices.length, 0);
  }

  /**
   * Changes with the material: the parts of recordings, their speakers and sources, and their
   * loudness.
   */
  get digest(): string {
    const facts = [...this.#rms].flatMap((
      [{ path, from, to, speaker, source }, rms],
    ) => [path, from, to, speaker, source, rms]);
    return hashOf(...facts).toString(16).padStart(8, "0");
  }

  /** The batch of a step (0-based). */
  at(step: number): Batch {
    const { seed, batch: { voices, windows_per_voice, window_samples: length }, augment } =
      this.#config;
    const random = seeded(hashOf(seed, "batch", step));
    const samples = new Float32Array(voices * windows_per_voice * length);
    for (let n = 0, v = 0; v < voices; v++) {
      const voice = this.#voice(random);
      for (let w = 0; w < windows_per_voice; w++, n++) {
        samples.set(this.#window(voice, random), n * length);
      }
    }
    return {
      samples,
      past: pastOf(samples, { windowSamples: length, augment, random }),
      seed: hashOf(seed, "negatives", step),
    };
  }

  #voice(random: () => number): Voice {
    const at = random();
    const source = this.#sources.find(({ upTo }) => at < upTo) ??
      this.#sources[this.#sources.length - 1];
    return source.voices[below(source.voices.length, random)];
  }

  #window({ spans, samples }: Voice, random: () => number): Float32Array {
    const { batch: { window_samples: length }, augment } = this.#config;
    const { level_db, gain_db, pitch_semitones: pitch } = augment;
    let at = below(samples, random);
    const span = spans.find(({ from, to }) => (at -= to - from) < 0) ?? spans[0];
    const speeds = speedsOf(augment.speed);
    const speed = speeds[below(speeds.length, random)];
    const wanted = Math.ceil(length * speed) + 1;
    const from = span.from + below(Math.max(1, span.to - span.from - wanted + 1), random);
    let window = tiled(
      this.#corpus.read(span.path, { from, to: Math.min(from + wanted, span.to) }),
      wanted,
    );
    if (speed !== 1) {
      const resampler = new StreamingResampler({
        fromRate: Math.round(16_000 * speed),
        toRate: 16_000,
      });
      window = joinChunks([resampler.push(window), resampler.flush()]);
    }
    window = window.subarray(0, length);
    if (pitch) window = pitchShifted(window, within(pitch, random));
    const gain = 10 ** ((level_db + gain_db * (2 * random() - 1)) / 20) /
      (this.#rms.get(span) ?? 1);
    let peak = 1e-6;
    for (let i = 0; i < window.length; i++) peak = Math.max(peak, Math.abs(window[i]));
    const scale = Math.min(gain, 1 / peak);
    const scaled = new Float32Array(window.length);
    for (let i = 0; i < window.length; i++) scaled[i] = window[i] * scale;
    return scaled;
  }
}

/**
 * The negatives of a step, as `[N · T, Z]` rows.
 *
 * @param options `windows` N in `voices` groups, `frames` T
 */
export function negativesOf(
  { windows, voices, frames }: { windows: number; voices: number; frames: number },
  { negatives, seed }: { negatives: TrainingConfig["negatives"]; seed: number },
): NegativeRows {
  const random = seeded(seed);
  const rows = windows * frames;
  const own = rows / voices;
  return {
    batch: drawNegatives({ rows, count: Math.min(negatives.batch, rows) }, random),
    groups: negatives.voice === 0 ? [] : Array.from({ length: voices }, (_, v) => {
      return drawNegatives({ rows: own, count: Math.min(negatives.voice, own) }, random).map((
        row,
      ) => v * own + row);
    }),
  };
}

/** What the context hears, when that is not the windows themselves. */
function pastOf(
  samples: Float32Array<ArrayBuffer>,
  { windowSamples, augment: { past_pitch_semitones: pitch, past_noise_snr_db: noise }, random }: {
    windowSamples: number;
    augment: TrainingConfig["augment"];
    random: () => number;
  },
): Float32Array | undefined {
  if (!pitch && !noise) return undefined;
  const out = samples.slice();
  for (let at = 0; at < out.length; at += windowSamples) {
    const window = out.subarray(at, at + windowSamples);
    if (pitch) window.set(pitchShifted(window, within(pitch, random)));
    if (!noise) continue;
    const amplitude = rmsOf(window) * 10 ** (-within(noise, random) / 20);
    for (let i = 0; i < window.length; i++) window[i] += amplitude * normal(random);
  }
  return out;
}

function within([low, high]: readonly [number, number], random: () => number): number {
  return low + (high - low) * random();
}

function tiled(samples: Float32Array<ArrayBuffer>, length: number): Float32Array<ArrayBuffer> {
  return samples.length >= length
    ? samples
    : Float32Array.from({ length }, (_, i) => samples[i % samples.length]);
}

function rmsOf(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / Math.max(1, samples.length));
}

function samplesOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { from, to }) => sum + to - from, 0);
}
