/** The rows of a block of frames, each with all its outputs. */
import assert from "node:assert/strict";
import type { FrameBlock } from "../../inference/messages.ts";
import type { Dims } from "../../model/weights.ts";

/** Each frame of a block, and its row: context, latent, prediction, score. */
export function frameRows(
  { first, count, want, data }: FrameBlock,
  { context: C, latent: Z }: Pick<Dims, "context" | "latent">,
): [frame: number, row: number[]][] {
  const widths = [
    want.context ? C : 0,
    want.latent ? Z : 0,
    want.prediction.length * Z,
    want.score.length > 0 ? 1 + 2 * want.score.length : 0,
  ];
  assert.equal(data.length, count * widths.reduce((sum, width) => sum + width, 0));
  return Array.from({ length: count }, (_, i) => {
    let at = 0;
    const row = widths.flatMap((width) => {
      const part = [...data.subarray(at + i * width, at + (i + 1) * width)];
      at += count * width;
      return part;
    });
    return [first + i * want.every, row];
  });
}
