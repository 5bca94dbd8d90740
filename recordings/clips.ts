/**
 * Recordings opened for work: decoded to their end once, their frames counted, worked on side by
 * side.
 */
import { type AudioSummary, decodeAudio, measureAudio } from "../audio/decode.ts";
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import type { PoolModel } from "../inference/models.ts";
import { minimumSamples, offlineFrames } from "../model/architecture.ts";

/** A recording, read to its end and its frames counted. */
export interface FramedClip extends AudioSummary {
  readonly frames: number;
  /** Its samples, mono at 16 kHz, decoded anew. */
  read(signal?: AbortSignal): AsyncIterable<Float32Array<ArrayBuffer>>;
}

/** Recordings of one request that are worked on side by side. */
export const SIDE_BY_SIDE = 8;
/**
 * Opens recordings: each is decoded to its end, so that reading it again does not fail, and its
 * frames are counted.
 *
 * @throws {CpcError} `too_large` for too many; what is wrong with a bad one, with `param`
 *   `input[i]`
 */
export async function openClips(
  files: readonly Uint8Array[],
  { model, signal }: { model: PoolModel; signal?: AbortSignal },
): Promise<FramedClip[]> {
  if (files.length > LIMITS.clips) {
    throw new CpcError(
      "too_large",
      `a request takes up to ${LIMITS.clips} recordings, got ${files.length}`,
    );
  }
  const { config } = model.weights;
  return await forEachClip(files, signal, async (bytes, signal) => {
    const summary = await measureAudio(bytes, { maxSeconds: LIMITS.clipSeconds, signal });
    const frames = offlineFrames(config, summary.samples);
    if (frames < 1) {
      const least = minimumSamples(config);
      throw new CpcError(
        "audio_too_short",
        `the audio has ${summary.samples} samples at 16 kHz; one frame needs ${least}`,
      );
    }
    return {
      ...summary,
      frames,
      read: (signal) => decodeAudio(bytes, { signal }),
    } satisfies FramedClip;
  });
}

/**
 * Works on recordings, {@linkcode SIDE_BY_SIDE} at a time; the first that fails ends the others.
 *
 * @param work given an item and a signal that is aborted when it is no longer wanted
 * @returns the results in order
 * @throws {CpcError} of the first failure in order of time, with `param` `input[i]`
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
]);

function ofClip(error: CpcError, i: number): CpcError {
  if (!OF_ONE_CLIP.has(error.code)) return error;
  return new CpcError(error.code, error.message, { param: `input[${i}]`, cause: error });
}
