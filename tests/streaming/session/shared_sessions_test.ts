import assert from "node:assert/strict";
import fc from "fast-check";
import { LastingClient } from "../../support/lasting_client.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { open, sharing, storeKinds, type TestStore } from "../../support/stores.ts";
import type { StreamClient } from "../../support/stream_client.ts";
import { heardFrames } from "../../support/stream_client.ts";
import { type StreamServer, WIDTHS, withServer } from "../../support/stream_server.ts";
import {
  assertChannels,
  assertFrames,
  channelNoise,
  noise,
  signalOf,
  truthOf,
} from "../../support/stream_truth.ts";

const FINISH = { type: "finish" };
const CONTEXT = { output: ["context"] } as const;

/** Two servers on one store, whose clocks run. */
async function withTwo(
  place: TestStore,
  use: (servers: [StreamServer, StreamServer]) => Promise<void>,
  { keys, resumeWindowS = 60 }: { keys?: boolean; resumeWindowS?: number } = {},
): Promise<void> {
  const [one, two] = [await open(place), await open(place)];
  const limits = { resumeWindowS };
  await withServer({ keys, limits, store: sharing(one, resumeWindowS) }, async (first) => {
    await withServer(
      { keys, limits, store: sharing(two, resumeWindowS) },
      async (second) => {
        const clocks = setInterval(() => [first, second].forEach((one) => one.pass(0.05)), 50);
        try {
          await use([first, second]);
        } finally {
          clearInterval(clocks);
        }
      },
    );
  });
}

/** A lost connection: after how many bytes, and the server that its client goes to. */
const CUT = fc.record({
  bytes: fc.integer({ min: 1, max: 150_000 }),
  wait: fc.boolean(),
  alive: fc.boolean(),
  where: fc.constantFrom(0, 1),
});
type Cut = typeof CUT extends fc.Arbitrary<infer T> ? T : never;

/** Split streams: their options, and the bytes of a sample. */
const SPLIT = [["", 2], ["&format=binary&encoding=mulaw&sample_rate=8000", 1]] as const;

/** Sends a whole signal, over as many sockets as there are cuts; gives what `done` says. */
async function wander(
  stream: LastingClient,
  { servers, bytes, cuts }: {
    servers: readonly StreamServer[];
    bytes: Uint8Array;
    cuts: readonly Cut[];
  },
) {
  await stream.client.next("ready");
  for (const { bytes: length, wait, alive, where } of cuts) {
    stream.audio(bytes, Math.min(bytes.length, stream.sent + length));
    if (wait) await stream.say({ type: "mark" }, "marked");
    void stream.token;
    if (!alive) await stream.client.terminate();
    await stream.resume(servers[where]!.url);
  }
  stream.audio(bytes, bytes.length);
  const done = await stream.say(FINISH, "done");
  await stream.client.closed();
  return done;
}

const frames = (client: StreamClient) => heardFrames(client.came, WIDTHS);

for (const kind of storeKinds()) {
  const name = `SharedResumeStore over ${kind.name}`;

  Deno.test(`${name}: any server goes on, dead or alive, as if unbroken`, async () => {
    await kind.with((place) =>
      withTwo(place, async (servers) => {
        const { bytes, samples } = noise(100_000, 5);
        const truth = truthOf(samples);
        await fc.assert(
          fc.asyncProperty(fc.array(CUT, { minLength: 1, maxLength: 4 }), async (cuts) => {
            const stream = new LastingClient(servers[0].url);
            const done = await wander(stream, { servers, bytes, cuts });
            assert.deepEqual([done?.samples, done?.frames], [100_000, truth.length]);
            assertFrames(stream.frames, truth, CONTEXT);
          }),
          { numRuns: 4, seed: 1 },
        );
      })
    );
  });

  Deno.test(`${name}: any server goes on with a split stream as if unbroken`, async () => {
    const channels = 3;
    await kind.with((place) =>
      withTwo(place, async (servers) => {
        for (const [query, sampleBytes] of SPLIT) {
          const { bytes, each } = channelNoise(channels, { length: 40_000, seed: 6, sampleBytes });
          const signals = each.map((one) => signalOf(one, sampleBytes));
          await fc.assert(
            fc.asyncProperty(fc.array(CUT, { minLength: 2, maxLength: 3 }), async (cuts) => {
              const stream = new LastingClient(servers[0].url, {
                query: `split=1&channels=${channels}${query}`,
                sampleBytes: channels * sampleBytes,
                channels,
              });
              const done = await wander(stream, { servers, bytes, cuts });
              assert.deepEqual([done?.samples, stream.resumes], [40_000, cuts.length]);
              assertChannels(stream.frames, signals, CONTEXT);
            }),
            { numRuns: 2, seed: 2 },
          );
        }
      })
    );
  });

  Deno.test(`${name}: the later server wins; confirmed tokens void the former`, async () => {
    await kind.with((place) =>
      withTwo(place, async ([one, two]) => {
        const first = one.connect();
        const { resume } = await first.next("ready");
        first.send(noise(2_000, 1).bytes);
        await first.mark();
        const second = two.connect(`resume=${resume}&received=11`);
        const ready = await second.next("ready");
        assert.deepEqual([ready.resumed, ready.samples], [true, 2_000]);
        first.send(noise(2_000, 2).bytes);
        assert.equal(await first.closed(), 4409);
        await second.mark(); // the answer to the server's ping lies before
        assert.equal(await one.connect(`resume=${resume}&received=11`).closed(), 4404);
        const third = one.connect(`resume=${ready.resume}&received=11`);
        await third.next("ready");
        second.send({ type: "reset" });
        assert.equal(await second.closed(), 4409);
      })
    );
  });

  Deno.test(`${name}: updates and resets survive`, async () => {
    await kind.with((place) =>
      withTwo(place, async ([one, two]) => {
        const first = one.connect("sample_rate=48000&format=json");
        const { resume } = await first.next("ready");
        const { bytes } = noise(30_000, 3);
        first.send(bytes.subarray(0, 20_001));
        first.send({ type: "reset" });
        await first.next("reset");
        first.send(bytes.subarray(0, 30_000));
        first.send({ type: "update", output: ["latent"] });
        await first.next("updated");
        first.send(bytes.subarray(30_000, 40_000));
        await first.mark();
        await first.terminate();
        const second = two.connect(`resume=${resume}&received=0`);
        const ready = await second.next("ready");
        assert.deepEqual([ready.segment, ready.samples, ready.output], [1, 20_000, ["context"]]);
        second.send(bytes.subarray(40_000));
        second.send(FINISH);
        await second.closed();
        const whole = one.connect("sample_rate=48000");
        await whole.next("ready");
        whole.send(bytes.subarray(0, 30_000));
        whole.send({ type: "update", output: ["latent"] });
        whole.send(bytes.subarray(30_000));
        whole.send(FINISH);
        await whole.closed();
        assert.deepEqual(frames(second).map(Object.keys), frames(whole).map(Object.keys));
        const flat = (client: StreamClient) =>
          frames(client).flatMap(({ context, latent }) => context ?? latent ?? []);
        const [got, wanted] = [flat(second), flat(whole)];
        assert.ok(got.every((x, i) => Math.abs(x - wanted[i]!) <= 1e-5));
      })
    );
  });

  Deno.test(`${name}: streams outlive its stop, and resume once it is back`, async () => {
    await kind.with((place) =>
      withTwo(place, async ([one, two]) => {
        const stream = new LastingClient(one.url);
        await stream.client.next("ready");
        const { bytes, samples } = noise(40_000, 7);
        stream.audio(bytes, 20_000);
        await stream.say({ type: "mark" }, "marked");
        await place.stop();
        stream.audio(bytes, 40_000);
        await stream.say({ type: "mark" }, "marked");
        const warning = stream.client.until(
          () => stream.client.all("warning").length > 0,
          "a warning",
        );
        await warning;
        assert.equal(stream.client.all("warning")[0]!.code, "store");
        assert.equal(one.hub.store.works, false);
        stream.audio(bytes, 60_000);
        await stream.say({ type: "mark" }, "marked");
        const code = await two.connect(`resume=${stream.token}&received=0`).closed();
        assert.equal(code, 1013); // not 4404: it is only a moment
        await place.go();
        while (!one.hub.store.works || !two.hub.store.works) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        assert.deepEqual([one.storeSaid[0], one.storeSaid.at(-1)], [false, true]);
        stream.audio(bytes, 70_000);
        await stream.say({ type: "mark" }, "marked");
        await stream.client.terminate();
        await stream.resume(two.url);
        stream.audio(bytes, bytes.length);
        await stream.say(FINISH, "done");
        await stream.client.closed();
        assertFrames(stream.frames, truthOf(samples), CONTEXT);
      })
    );
  });

  if (kind.name === "sqlite") {
    Deno.test(`${name}: streams are stored anew where its file was deleted`, async () => {
      await kind.with((place) =>
        withTwo(place, async (servers) => {
          const stream = new LastingClient(servers[0].url);
          await stream.client.next("ready");
          const { bytes, samples } = noise(40_000, 7);
          stream.audio(bytes, 20_000);
          await stream.say({ type: "mark" }, "marked");
          const file = place.url.slice("sqlite:".length);
          for (const part of ["", "-wal", "-shm"]) await Deno.remove(file + part);
          while (servers.some(({ storeSaid }) => storeSaid.at(-1) !== true)) {
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          for (const { storeSaid } of servers) assert.equal(storeSaid[0], false);
          await stream.say({ type: "mark" }, "marked");
          await stream.client.terminate();
          await stream.resume(servers[1].url);
          stream.audio(bytes, bytes.length);
          await stream.say(FINISH, "done");
          await stream.client.closed();
          assertFrames(stream.frames, truthOf(samples), CONTEXT);
        })
      );
    });
  }

  Deno.test(`${name}: nothing in the clear, and nothing after the window`, async () => {
    await kind.with((place) =>
      withTwo(place, async ([one, two]) => {
        const client = one.connect("", { protocols: ["cpc.v1", "bearer.key-anna"] });
        const { resume, session } = await client.next("ready");
        const { bytes } = noise(20_000, 9);
        client.send(bytes);
        await client.mark();
        const locator = (resume as string).slice(0, 21);
        const full = new TextDecoder("latin1").decode(await place.contents());
        const audio = new TextDecoder("latin1").decode(bytes.subarray(1_000, 1_032));
        assert.ok(full.length > 20_000);
        for (const secret of [locator, resume as string, session as string, "anna", audio]) {
          assert.ok(!full.includes(secret), `${JSON.stringify(secret)} is in the clear`);
        }
        const stranger = two.connect(`resume=${resume}&received=0`, {
          protocols: ["cpc.v1", "bearer.key-bob"],
        });
        assert.equal(await stranger.closed(), 4404);
        const stored = await place.records();
        assert.ok(stored.length > 0);
        await client.terminate();
        await one.settled();
        const endMs = performance.now() + 8_000;
        let left = await place.records();
        while (left.length > 0 && performance.now() < endMs) {
          await new Promise((resolve) => setTimeout(resolve, 200));
          left = await place.records();
        }
        assert.deepEqual(left, []);
        const rest = new TextDecoder("latin1").decode(await place.contents());
        for (const record of stored) {
          assert.ok(!rest.includes(new TextDecoder("latin1").decode(record.subarray(-40))));
        }
      }, { keys: true, resumeWindowS: 1 })
    );
  });

  Deno.test(`${name}: other weights refuse a session, and say so`, async () => {
    await kind.with(async (place) => {
      const others = [randomWeights(tinyConfig, 77, "tiny")];
      const [one, two] = [await open(place), await open(place)];
      await withServer({ store: sharing(one) }, async (first) => {
        await withServer({ store: sharing(two), models: others }, async (second) => {
          const client = first.connect();
          const { resume } = await client.next("ready");
          client.send(noise(2_000, 1).bytes);
          await client.mark();
          const refused = second.connect(`resume=${resume}&received=0`);
          assert.equal(await refused.closed(), 4404);
          assert.match(String(refused.all("error")[0]!.message), /other weights/);
          await first.connect(`resume=${resume}&received=0`).next("ready");
        });
      });
    });
  });
}
