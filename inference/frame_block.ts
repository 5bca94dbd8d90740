/** A part of a block of frames. */
import type { Dims } from "../model/weights.ts";
import type { FrameBlock } from "./messages.ts";

/** A block without its rows before frame `from`. */
export function blockFrom(
  block: FrameBlock,
  { from, dims: { context: C, latent: Z } }: { from: number; dims: Dims },
): FrameBlock {
  const { first, count, want, data } = block;
  const skip = Math.min(count, Math.ceil((from - first) / want.every));
  if (skip <= 0) return block;
  const widths = [
    want.context ? C : 0,
    want.latent ? Z : 0,
    want.prediction.length * Z,
    want.score.length > 0 ? 1 + 2 * want.score.length : 0,
  ];
  const rows = count - skip;
  const kept = new Float32Array(rows * widths.reduce((sum, width) => sum + width, 0));
  let [read, write] = [0, 0];
  for (const width of widths) {
    kept.set(data.subarray(read + skip * width, read + count * width), write);
    read += count * width;
    write += rows * width;
  }
  return { ...block, first: first + skip * want.every, count: rows, data: kept };
}
