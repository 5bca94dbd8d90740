/** Parts of a block of frames. */
import type { Dims } from "../model/weights.ts";
import type { FrameBlock, HeadBlock } from "./messages.ts";

/** One channel of a block, as a block of its own that shares its memory. */
export function channelBlock(block: FrameBlock, channel: number): FrameBlock {
  if (block.channels === 1) return block;
  const length = block.data.length / block.channels;
  const data = block.data.subarray(channel * length, (channel + 1) * length);
  return { ...block, channels: 1, data };
}

/** A block without its rows before frame `from`. */
export function blockFrom(
  block: FrameBlock,
  { from, dims: { context: C, latent: Z } }: { from: number; dims: Dims },
): FrameBlock {
  const { channels, first, count, want, data } = block;
  const heads = block.heads && headsFrom(block.heads, from);
  const skip = Math.min(count, Math.ceil((from - first) / want.every));
  if (skip <= 0) return heads ? { ...block, heads } : block;
  const widths = [
    want.context ? C : 0,
    want.latent ? Z : 0,
    want.prediction.length * Z,
    want.score.length > 0 ? 1 + 2 * want.score.length : 0,
  ];
  const rows = count - skip;
  const kept = new Float32Array(channels * rows * widths.reduce((sum, width) => sum + width, 0));
  let [read, write] = [0, 0];
  for (let channel = 0; channel < channels; channel++) {
    for (const width of widths) {
      kept.set(data.subarray(read + skip * width, read + count * width), write);
      read += count * width;
      write += rows * width;
    }
  }
  return { ...block, first: first + skip * want.every, count: rows, data: kept, heads };
}

/**
 * What heads gave, without the rows that end before frame `from`, and the events that they decided.
 */
export function headsFrom(heads: readonly HeadBlock[], from: number): HeadBlock[] {
  return heads.flatMap((block) => {
    const { every, first, count, data, events } = block;
    const least = Math.floor(from / every);
    const skip = Math.max(0, Math.min(count, least - first));
    if (skip === 0) return [block];
    const later = events.filter(({ decided }) => decided >= least);
    if (skip === count && later.length === 0) return [];
    const kept = data.slice(skip * data.length / count);
    return [{ ...block, first: first + skip, count: count - skip, data: kept, events: later }];
  });
}
