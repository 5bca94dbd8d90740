/**
 * Opens recordings: decodes each to its end once, counts its frames, and works on several at once.
 */
import { type AudioSource, type AudioSummary, decodeAudio, measureAudio } from "../audio/decode.ts";
import { MAX_STREAM_CHANNELS } from "../audio/pcm.ts";
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import type { DecodeShare } from "./decode_budget.ts";
import type { Door } from "./gate.ts";
import type { PoolModel } from "../inference/models.ts";
import { minimumSamples, offlineFrames } from "../model/architecture.ts";

/** A recording that was decoded to its end, with its number of frames. */
export interface FramedClip extends Pick<AudioSummary, "seconds" | "samples" | "channels"> {
  readonly frames: number;
  /** Streams of the model that it takes, in step: one, or one for each channel. */
  readonly streams: number;
  /** Decodes its samples again, at 16 kHz, `[n, streams]`. */
  read(signal?: AbortSignal): AsyncIterable<Float32Array<ArrayBuffer>>;
}

/** How many recordings of a request are worked on at once. */
export const SIDE_BY_SIDE = 8;

/**
 * Opens recordings: decodes each to its end, so that decoding it again cannot fail, and counts its
 * frames.
 *
 * @param files that can be read twice
 * @param options `split`: keeps channels apart; `gate`: bounds the files that are decoded at once;
 *   `decoded`: counts what is decoded
 * @throws {CpcError} `too_large` for too many; the error of a bad one, with `param` `input[i]`
 */
export async function openClips(
  files: readonly AudioSource[],
  { model, split = false, signal, gate, decoded }: {
    model: PoolModel;
    split?: boolean;
    signal?: AbortSignal;
    gate?: Door;
    decoded?: DecodeShare;
  },
): Promise<FramedClip[]> {
  if (files.length > LIMITS.clips) {
    throw new CpcError(
      "too_large",
      `a request takes up to ${LIMITS.clips} recordings, got ${files.length}`,
    );
  }
  return await forEachClip(files, signal, async (bytes, signal) => {
    const leave = await gate?.enter(signal);
    const summary = await measureAudio(bytes, {
      maxSeconds: LIMITS.clipSeconds,
      signal,
      onStated: decoded?.check,
      onDecoded: decoded?.take,
    })
      .finally(() => leave?.());
    return {
      ...summary,
      frames: framesOf(model, summary.samples),
      streams: streamsOf(summary, { split }),
      read: (signal) => decodeAudio(bytes, { split, signal }),
    } satisfies FramedClip;
  });
}

/**
 * Frames of a recording with so many samples at 16 kHz.
 *
 * @throws {CpcError} `audio_too_short` if there is none
 */
export function framesOf({ weights: { config } }: PoolModel, samples: number): number {
  const frames = offlineFrames(config, samples);
  if (frames > 0) return frames;
  throw new CpcError(
    "audio_too_short",
    `the audio has ${samples} samples at 16 kHz; one frame needs ${minimumSamples(config)}`,
  );
}

/**
 * Streams of the model that a recording takes.
 *
 * @throws {CpcError} `invalid_option` if it cannot be split
 */
export function streamsOf(
  { channels }: Pick<AudioSummary, "channels">,
  { split }: { split: boolean },
): number {
  if (!split) return 1;
  if (channels >= 2 && channels <= MAX_STREAM_CHANNELS) return channels;
  const bounds = `2 to ${MAX_STREAM_CHANNELS} channels`;
  const why = `option split=1 takes recordings of ${bounds}; this one has ${channels}`;
  throw new CpcError("invalid_option", why, { param: "split" });
}

/**
 * Works on recordings, {@linkcode SIDE_BY_SIDE} at once. The first failure ends the others.
 *
 * @param work takes an item, and a signal that aborts when the result is no longer wanted
 * @returns the results in order
 * @throws {CpcError} the first failure in time, with `param` `input[i]`
 */
export async function forEachClip<Item, Result>(
  items: readonly Item[],
  signal: AbortSignal | undefined,
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const stop = new AbortController();
  const wanted = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const results: Result[] = Array(items.length);
  const next = items.entries();
  let failure: { readonly error: unknown } | undefined;
  await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, items.length) }, async () => {
    for (const [i, item] of next) {
      if (failure) return;
      try {
        results[i] = await work(item, wanted);
      } catch (error) {
        failure ??= { error: error instanceof CpcError ? ofClip(error, i) : error };
        stop.abort();
      }
    }
  }));
  if (failure) throw failure.error;
  return results;
}

const OF_ONE_CLIP: ReadonlySet<string> = new Set([
  "invalid_audio",
  "unsupported_audio",
  "audio_too_short",
  "too_large",
  "invalid_option", // that this one cannot take
]);

function ofClip(error: CpcError, i: number): CpcError {
  if (!OF_ONE_CLIP.has(error.code)) return error;
  return new CpcError(error.code, error.message, { param: `input[${i}]`, cause: error });
}
