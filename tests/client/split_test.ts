/** Split streams through the client: every channel's frames, once and in order. */
import assert from "node:assert/strict";
import { connect, type Frames, type Options } from "../../client/mod.ts";
import { withCutProxy } from "../support/cut_proxy.ts";
import type { HeardFrame } from "../support/stream_client.ts";
import { withServer } from "../support/stream_server.ts";
import {
  assertFrames,
  channelFrames,
  channelNoise,
  signalOf,
  truthOf,
} from "../support/stream_truth.ts";

const OUTPUT = ["context", "latent"] as const;

function heard(frames: readonly Frames[]): HeardFrame[] {
  return frames.flatMap(({ channel, first, count, every, context, latent }) =>
    Array.from({ length: count }, (_, i) => ({
      channel,
      index: first + i * every,
      context: [...context?.[i] ?? []],
      latent: [...latent?.[i] ?? []],
    }))
  );
}

/** Asserts that each block of frames comes once for every channel, one after the other. */
function assertInStep(frames: readonly Frames[], channels: number): void {
  for (const [i, { channel, first, count }] of frames.entries()) {
    const leader = frames[i - i % channels];
    assert.deepEqual([channel, first, count], [i % channels, leader.first, leader.count]);
  }
}

const CASES = [
  { options: { format: "binary" }, channels: 2, tolerance: 1e-4 },
  { options: { format: "binary", dtype: "f16", every: 3 }, channels: 3, tolerance: 2e-3 },
  { options: { format: "json" }, channels: 2, tolerance: 1e-4 },
] as const satisfies { options: Options; channels: number; tolerance: number }[];

for (const { options, channels, tolerance } of CASES) {
  const name = `${Object.values(options).join(", ")}, ${channels} channels`;
  Deno.test(`CpcStream with split (${name}) gives each channel's frames once`, async () => {
    await withServer({}, async ({ port }) => {
      await withCutProxy(port, async (proxy) => {
        const { bytes, each } = channelNoise(channels, { length: 30_000, seed: 3, sampleBytes: 2 });
        const stream = await connect(`http://127.0.0.1:${proxy.port}`, {
          encoding: "s16le",
          channels,
          split: true,
          output: OUTPUT,
          ...options,
        });
        assert.deepEqual([stream.ready.split, stream.ready.channels], [1, channels]);
        const frames: Frames[] = [];
        stream.on("frames", (one) => frames.push(one));
        const piece = 31_001; // not a whole number of samples of all channels
        for (let at = 0; at < bytes.length; at += piece) {
          proxy.cutAfter(400 + at % 500); // between the frames of two channels too
          await stream.send(bytes.subarray(at, at + piece));
          await stream.mark();
        }
        proxy.cut();
        const truths = each.map((one) => truthOf(signalOf(one, 2)));
        assert.equal((await stream.finish()).frames, truths[0].length);
        assert.ok(proxy.connections >= 3, `${proxy.connections} connections`);
        assertInStep(frames, channels);
        for (const [c, truth] of truths.entries()) {
          const { every } = stream.selection;
          assertFrames(channelFrames(heard(frames), c), truth, {
            output: OUTPUT,
            every,
            tolerance,
          });
        }
      });
    });
  });
}
