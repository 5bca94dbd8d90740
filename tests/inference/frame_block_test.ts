import assert from "node:assert/strict";
import fc from "fast-check";
import { blockFrom, channelBlock, headsFrom } from "../../inference/frame_block.ts";
import type { FrameBlock, HeadBlock } from "../../inference/messages.ts";

const dims = { context: 2, latent: 3, steps: 2 };

/** A number that tells its channel, its frame and its place in the row. */
const number = (channel: number, frame: number, place: number) =>
  channel * 10_000 + frame * 10 + place;

/** A block whose rows are known; the outputs stand one after the other in each channel. */
function blockOf(
  { channels, first, count, every, context, latent, predicted, scored }: {
    channels: number;
    first: number;
    count: number;
    every: number;
    context: boolean;
    latent: boolean;
    predicted: boolean;
    scored: boolean;
  },
): FrameBlock {
  const want = {
    context,
    latent,
    prediction: predicted ? [1] : [],
    score: scored ? [1] : [],
    every,
  };
  const widths = [context ? 2 : 0, latent ? 3 : 0, predicted ? 3 : 0, scored ? 3 : 0];
  const data: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    for (const [w, width] of widths.entries()) {
      for (let f = 0; f < count; f++) {
        for (let i = 0; i < width; i++) data.push(number(channel, first + f * every, w + i));
      }
    }
  }
  return {
    channels,
    first,
    count,
    frames: first + count * every,
    want,
    data: Float32Array.from(data),
  };
}

const arbitraryBlock = fc.record({
  channels: fc.integer({ min: 1, max: 3 }),
  start: fc.integer({ min: 0, max: 50 }),
  count: fc.integer({ min: 0, max: 5 }),
  every: fc.integer({ min: 1, max: 3 }),
  context: fc.boolean(),
  latent: fc.boolean(),
  predicted: fc.boolean(),
  scored: fc.boolean(),
}).map(({ start, ...more }) => ({ ...more, first: start * more.every }));

Deno.test("blockFrom() leaves out the rows before a frame, in every channel and output", () => {
  fc.assert(fc.property(arbitraryBlock, fc.integer({ min: -3, max: 20 }), (given, after) => {
    const from = Math.max(0, given.first + after);
    const skip = Math.min(given.count, Math.max(0, Math.ceil((from - given.first) / given.every)));
    const { heads, ...rest } = blockFrom(blockOf(given), { from, dims });
    assert.equal(heads, undefined);
    assert.deepEqual(rest, {
      ...blockOf({
        ...given,
        first: given.first + skip * given.every,
        count: given.count - skip,
      }),
    });
  }));
});

Deno.test("channelBlock() gives one channel of several, in the same memory", () => {
  fc.assert(fc.property(arbitraryBlock, (given) => {
    const block = blockOf(given);
    for (let channel = 0; channel < given.channels; channel++) {
      const { data, ...rest } = channelBlock(block, channel);
      const { data: alone, ...expected } = blockOf({ ...given, channels: 1 });
      assert.deepEqual(rest, expected);
      assert.deepEqual(data, alone.map((x) => x + number(channel, 0, 0)));
      assert.equal(data.buffer, block.data.buffer);
    }
  }));
});

Deno.test("headsFrom() leaves out rows that ended before a frame, and their events", () => {
  const event = { event: "e", state: "start" as const, row: 4, decided: 5 };
  const block: HeadBlock = {
    head: "h",
    every: 3,
    first: 4,
    count: 3,
    data: Float32Array.of(4, 40, 5, 50, 6, 60),
    events: [event],
  };
  assert.deepEqual(headsFrom([block], 14), [block]); // its first row ends with frame 14
  assert.deepEqual(headsFrom([block], 15), [
    { ...block, first: 5, count: 2, data: Float32Array.of(5, 50, 6, 60) },
  ]);
  assert.deepEqual(headsFrom([block], 18), [
    { ...block, first: 6, count: 1, data: Float32Array.of(6, 60), events: [] },
  ]);
  assert.deepEqual(headsFrom([block], 21), []);
  const late = { ...block, events: [{ ...event, decided: 7 }] };
  assert.deepEqual(headsFrom([late, block], 23), [
    { ...late, first: 7, count: 0, data: new Float32Array(0) },
  ]);
});
