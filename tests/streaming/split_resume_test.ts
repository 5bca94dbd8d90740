/** Streams of `split=1` that are cut and resumed: one token for all channels. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { EnginePool } from "../../inference/pool.ts";
import { openStore } from "../../stores/open.ts";
import type { SharedResumeStore } from "../../streaming/session/shared_resume_store.ts";
import { LastingClient } from "../support/lasting_client.ts";
import { sharing } from "../support/stores.ts";
import { withServer } from "../support/stream_server.ts";
import { assertChannels, channelNoise, signalOf, truthOf } from "../support/stream_truth.ts";

const FINISH = { type: "finish" };

/** Streams that are cut again and again, on a server with a store. */
async function cutAnywhere(
  store?: (pool: EnginePool) => Promise<SharedResumeStore>,
): Promise<void> {
  await withServer({ store }, async (server) => {
    for (
      const [query, sampleBytes] of [["", 2], [
        "&format=binary&encoding=mulaw&sample_rate=8000",
        1,
      ]] as const
    ) {
      const channels = 3;
      const { bytes, each } = channelNoise(channels, { length: 60_000, seed: 4, sampleBytes });
      const signals = each.map((one) => signalOf(one, sampleBytes));
      const cut = fc.record({
        bytes: fc.integer({ min: 1, max: 150_000 }),
        wait: fc.boolean(),
        alive: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 4 }), async (cuts) => {
          const stream = new LastingClient(server.url, {
            query: `split=1&channels=${channels}${query}`,
            sampleBytes: channels * sampleBytes,
            channels,
          });
          await stream.client.next("ready");
          for (const { bytes: length, wait, alive } of cuts) {
            stream.audio(bytes, Math.min(bytes.length, stream.sent + length));
            if (wait) await stream.say({ type: "mark" }, "marked");
            void stream.token;
            if (!alive) await stream.client.terminate();
            await stream.resume();
          }
          stream.audio(bytes, bytes.length);
          const done = await stream.say(FINISH, "done");
          const frames = truthOf(signals[0]).length;
          assert.deepEqual([done?.samples, done?.frames], [60_000, frames]);
          await stream.client.closed();
          assertChannels(stream.frames, signals, { output: ["context"] });
        }),
        { numRuns: 3, seed: 1 },
      );
    }
  });
}

Deno.test("stream: a split stream is resumed in any channel's frames, as if unbroken", async () => {
  await cutAnywhere();
});

Deno.test("stream: a split stream is resumed from a shared store as if unbroken", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const store = await openStore({ kind: "sqlite", file: `${folder}/sessions.db` });
    assert.ok(store);
    await cutAnywhere((pool) => sharing(store)(pool, () => 1_000_000));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("stream: a resume may repeat split=1, and no other session takes it", async () => {
  await withServer({}, async (server) => {
    for (
      const [own, asked, code] of [
        ["split=1&channels=2", "split=1&channels=2", undefined],
        ["split=1&channels=2", "channels=2", undefined],
        ["split=1&channels=2", "channel=0", 4400],
        ["channels=2", "split=1", 4400],
      ] as const
    ) {
      const first = server.connect(own);
      const { resume } = await first.next("ready");
      await first.terminate();
      const second = server.connect(`resume=${resume}&received=0&${asked}`);
      if (code === undefined) assert.equal((await second.next("ready")).split, 1);
      else assert.equal(await second.closed(), code);
      if (second.closeCode === undefined) await second.terminate();
      await server.settled();
    }
  });
});
