/** Opens a recording for one who reads it once: what is decoded to count its frames is kept. */
import { type AudioSource, decodeAudio, measureAudio } from "../audio/decode.ts";
import { LIMITS } from "../config/limits.ts";
import type { PoolModel } from "../inference/models.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { type FramedClip, framesOf, streamsOf } from "./clips.ts";

/** Longer recordings are decoded a second time instead, unless few are open. */
const KEPT_SECONDS = 120;
/** What may be kept of all together if they are few: 256 MB. */
const KEPT_TOGETHER_SECONDS = 4000;

/**
 * How much of each recording to keep, in seconds of one channel, while so many are open at once.
 */
export function keptSecondsOf(recordings: number): number {
  return Math.max(KEPT_SECONDS, KEPT_TOGETHER_SECONDS / recordings);
}

/**
 * Opens a recording, and keeps its samples if there are not too many.
 *
 * @throws {CpcError} as `openClips`, without `param`
 */
export async function keepClip(
  bytes: AudioSource,
  { model, split = false, keptSeconds = KEPT_SECONDS }: {
    model: PoolModel;
    split?: boolean;
    keptSeconds?: number;
  },
): Promise<FramedClip> {
  const decoded = decodeAudio(bytes, { split, maxSeconds: LIMITS.clipSeconds });
  const chunks: Float32Array<ArrayBuffer>[] = [];
  let samples = 0;
  for await (const chunk of decoded) {
    const streams = streamsOf(decoded.info!, { split }); // it is known with the first chunk
    chunks.push(chunk);
    samples += chunk.length / streams;
    if (samples * streams <= keptSeconds * MODEL_SAMPLE_RATE) continue;
    const summary = await measureAudio(bytes, { maxSeconds: LIMITS.clipSeconds });
    return {
      ...summary,
      frames: framesOf(model, summary.samples),
      streams,
      read: (signal) => decodeAudio(bytes, { split, signal }),
    };
  }
  const info = decoded.info!; // there was a chunk
  return {
    ...info,
    streams: streamsOf(info, { split }),
    samples,
    seconds: samples / MODEL_SAMPLE_RATE,
    frames: framesOf(model, samples),
    async *read() {
      // their reader transfers them
      for (const chunk of chunks) yield await Promise.resolve(chunk.slice());
    },
  };
}
