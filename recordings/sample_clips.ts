/** Recordings that are samples already: a batch at the model's own rate. */
import type { PoolModel } from "../inference/models.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { type FramedClip, framesOf } from "./clips.ts";

/** Samples that are handed over at once. */
const PIECE_SAMPLES = MODEL_SAMPLE_RATE;

/**
 * A recording for each row of a batch.
 *
 * @param samples `[B, N]` at 16 kHz
 * @throws {CpcError} `audio_too_short`
 */
export function sampleClips(
  samples: Float32Array,
  { rows, model }: { rows: number; model: PoolModel },
): FramedClip[] {
  const length = samples.length / rows;
  const frames = framesOf(model, length);
  return Array.from({ length: rows }, (_, row) => ({
    seconds: length / MODEL_SAMPLE_RATE,
    samples: length,
    channels: 1,
    frames,
    streams: 1,
    async *read() {
      const own = samples.subarray(row * length, (row + 1) * length);
      for (let at = 0; at < length; at += PIECE_SAMPLES) {
        yield await Promise.resolve(own.slice(at, at + PIECE_SAMPLES));
      }
    },
  }));
}
