/** `split=1`: every channel of a socket is a stream of its own, in step with the others. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { toMono } from "../../audio/pcm.ts";
import { StreamingResampler } from "../../audio/resample.ts";
import { fingerprintOf } from "../../inference/fingerprint.ts";
import type { EnginePool } from "../../inference/pool.ts";
import { openStore } from "../../stores/open.ts";
import { SharedResumeStore } from "../../streaming/session/shared_resume_store.ts";
import { LastingClient } from "../support/lasting_client.ts";
import { type Came, heardFrames } from "../support/stream_client.ts";
import { WIDTHS, withServer } from "../support/stream_server.ts";
import {
  assertFrames,
  channelFrames,
  channelNoise,
  chunksOf,
  signalOf,
  truthOf,
} from "../support/stream_truth.ts";

const FINISH = { type: "finish" };
const CONTEXT = { output: ["context"] } as const;

/** Asserts that the frames of every channel are those of its own signal. */
function assertChannels(
  frames: readonly ReturnType<typeof heardFrames>[number][],
  signals: readonly Float32Array[],
  options: Parameters<typeof assertFrames>[2],
): void {
  for (const [c, signal] of signals.entries()) {
    assertFrames(channelFrames(frames, c), truthOf(signal), options);
  }
  assert.equal(frames.filter(({ channel = -1 }) => channel in signals).length, frames.length);
}

/** Asserts that frames come for one channel after the other, the same of each. */
function assertInOrder(came: readonly Came[], channels: number): void {
  const blocks = came.flatMap((one) => {
    const frames = heardFrames([one], WIDTHS);
    return frames.length > 0
      ? [{ channel: frames[0].channel, first: frames[0].index, frames }]
      : [];
  });
  assert.equal(blocks.length % channels, 0);
  for (const [i, { channel, first, frames }] of blocks.entries()) {
    assert.equal(channel, i % channels);
    const leader = blocks[i - i % channels];
    assert.deepEqual([first, frames.length], [leader.first, leader.frames.length]);
  }
}

const FORMATS = [
  { query: "", channels: 2, sampleBytes: 2 },
  { query: "format=binary&output=context,latent,prediction", channels: 3, sampleBytes: 2 },
  { query: "format=binary&encoding=mulaw&sample_rate=8000", channels: 2, sampleBytes: 1 },
  { query: "encoding=alaw", channels: 8, sampleBytes: 1, rate: 16_000, encoding: "alaw" },
  {
    query: "encoding=f32le&sample_rate=48000",
    channels: 2,
    sampleBytes: 4,
    rate: 48_000,
    encoding: "f32le",
  },
] as const;

for (const { query, channels, sampleBytes, ...other } of FORMATS) {
  const name = `split=1&channels=${channels}&${query}`;
  Deno.test(`stream: ${name}: each channel gives the frames of its own signal, in order, however it is cut`, async () => {
    await withServer({}, async (server) => {
      const length = 9_000;
      let { bytes, each } = channelNoise(channels, {
        length,
        seed: 1,
        sampleBytes: Math.min(2, sampleBytes),
      });
      if (sampleBytes === 4) {
        const floats = (bytes: Uint8Array) =>
          new Uint8Array(toMono(bytes, { encoding: "s16le", channels: 1 }).buffer);
        [bytes, each] = [floats(bytes), each.map(floats)];
      }
      const signals = each.map((one) => {
        if (!("rate" in other)) return signalOf(one, sampleBytes);
        const mono = toMono(one, { encoding: other.encoding, channels: 1 });
        const resampler = new StreamingResampler({ fromRate: other.rate });
        const body = resampler.push(mono);
        return other.rate === 16_000 ? body : Float32Array.from([...body, ...resampler.flush()]);
      });
      const output = query.includes("output")
        ? (["context", "latent", "prediction"] as const)
        : CONTEXT.output;
      for (const seed of [1, 2]) {
        const client = server.connect(name);
        const ready = await client.next("ready");
        assert.deepEqual([ready.split, ready.channels], [1, channels]);
        for (const chunk of chunksOf(bytes, { longest: 4_000, seed })) client.send(chunk);
        client.send(FINISH);
        assert.equal(await client.closed(), 1000);
        assertChannels(heardFrames(client.came, WIDTHS), signals, { output });
        assertInOrder(client.came, channels);
        const [done, ...more] = client.all("done");
        assert.deepEqual(more, []);
        assert.deepEqual([done.samples, done.frames], [length, truthOf(signals[0]).length]);
        await server.settled();
      }
    });
  });
}

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
          assertChannels(stream.frames, signals, CONTEXT);
        }),
        { numRuns: 3, seed: 1 },
      );
    }
  });
}

Deno.test("stream: a split stream is resumed anywhere, in any channel's frames, as if unbroken", async () => {
  await cutAnywhere();
});

Deno.test("stream: a split stream is resumed from a shared store as if unbroken", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const store = await openStore({ kind: "sqlite", file: `${folder}/sessions.db` });
    assert.ok(store);
    await cutAnywhere(async (pool) => {
      const shared = new SharedResumeStore(store, {
        resumeWindowS: 60,
        maxKept: 16,
        outlives: true,
        model: (id) => {
          const model = pool.models.get(id);
          return model &&
            { layout: model.layout, fingerprint: fingerprintOf(model.weights, pool) };
        },
        nowMs: () => 1_000_000,
      });
      await shared.start();
      return shared;
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("stream: marks, updates and resets of a split stream are the socket's", async () => {
  await withServer({}, async (server) => {
    const client = server.connect("split=1&channels=2&every=2");
    await client.next("ready");
    const first = channelNoise(2, { length: 3_200, seed: 1, sampleBytes: 2 });
    client.send(first.bytes);
    const marked = await client.mark();
    assert.deepEqual([marked.samples, marked.frames], [3_200, 19]);
    client.send({ type: "update", output: ["latent"], every: 1 });
    await client.next("updated");
    const heard = heardFrames(client.came, { ...WIDTHS, every: 2 });
    for (const [c, one] of first.each.entries()) {
      const truth = truthOf(signalOf(one, 2)).slice(0, 19);
      assertFrames(channelFrames(heard, c), truth, { ...CONTEXT, every: 2 });
    }
    client.send({ type: "reset" });
    assert.equal((await client.next("reset")).segment, 1);
    const before = client.came.length;
    const second = channelNoise(2, { length: 2_000, seed: 2, sampleBytes: 2 });
    client.send(second.bytes);
    client.send(FINISH);
    await client.closed();
    assertChannels(
      heardFrames(client.came.slice(before), WIDTHS),
      second.each.map((one) => signalOf(one, 2)),
      { output: ["latent"] },
    );
    assert.deepEqual([client.all("done").length, client.all("done")[0].samples], [1, 2_000]);
  });
});

Deno.test("stream: the score of a channel is that of a stream of this channel alone", async () => {
  await withServer({}, async (server) => {
    const { bytes, each } = channelNoise(2, { length: 40_000, seed: 7, sampleBytes: 2 });
    const scores = async (query: string, audio: Uint8Array, channel?: number) => {
      const client = server.connect(`output=score&${query}`);
      await client.next("ready");
      client.send(audio);
      client.send(FINISH);
      await client.closed();
      return client.all("frames").filter((frames) => frames.channel === channel)
        .flatMap(({ score }) => score as ({ nce: number[]; surprise: number } | null)[]);
    };
    for (const [c, one] of each.entries()) {
      const [split, alone] = [await scores("split=1&channels=2", bytes, c), await scores("", one)];
      assert.equal(split.length, alone.length);
      assert.ok(alone.filter((score) => score !== null).length > 50);
      for (const [f, score] of alone.entries()) {
        assert.equal(split[f] === null, score === null);
        for (const [k, nce] of (score?.nce ?? []).entries()) {
          assert.ok(Math.abs(nce - split[f]!.nce[k]) <= 1e-4, `channel ${c}, frame ${f}`);
        }
      }
    }
  });
});

Deno.test("stream: split is 1, with two channels or more, and without channel; anything else is 4400", async () => {
  await withServer({}, async (server) => {
    for (
      const [query, message] of [
        [
          "split=1",
          "option split=1 requires channels=2 or more: one channel is a stream already, got channels=1",
        ],
        [
          "split=1&channels=1",
          "option split=1 requires channels=2 or more: one channel is a stream already, got channels=1",
        ],
        [
          "split=1&channels=2&channel=0",
          "option split=1 takes every channel; leave out channel, or split, got channel=0",
        ],
        ["split=0&channels=2", 'option split: must be 1, or left out, got "0"'],
        ["split=true&channels=2", 'option split: must be 1, or left out, got "true"'],
        ["split=&channels=2", 'option split: must be 1, or left out, got ""'],
        ["split=1&channels=9", 'option channels: must be a whole number from 1 to 8, got "9"'],
        ["split=1&split=1&channels=2", "option split is given twice"],
      ]
    ) {
      const client = server.connect(query);
      assert.equal(await client.closed(), 4400, query);
      const [error] = client.all("error");
      assert.equal(error.code, "invalid_option");
      assert.equal(error.message, message);
    }
  });
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

Deno.test("stream: each channel of a split stream counts against the server's streams and the key's", async () => {
  const limits = {
    maxStreams: 4,
    maxStreamsOf: (owner: string) => owner === "small" ? 2 : Infinity,
  };
  await withServer({ limits, keys: true }, async (server) => {
    const connect = (query: string, owner: string) =>
      server.connect(query, { headers: { authorization: `Bearer key-${owner}` } });
    const refusal = async (query: string, owner: string) => {
      const client = connect(query, owner);
      assert.equal(await client.closed(), 4429);
      return client.all("error")[0].message;
    };
    const three = connect("split=1&channels=3", "big");
    await three.next("ready");
    assert.equal(server.hub.size, 3);
    assert.equal(server.pool.streams, 3);
    assert.equal(
      await refusal("split=1&channels=2", "big"),
      "this server takes 4 streams; fewer than 2 are free, and with split=1 each channel counts as one",
    );
    const one = connect("channels=2", "small");
    await one.next("ready");
    assert.equal(await refusal("", "big"), "this server takes 4 streams; all are in use");
    await three.terminate();
    while (server.hub.size > 1) await new Promise((resolve) => setTimeout(resolve));
    assert.equal(
      await refusal("split=1&channels=2", "small"),
      "this key may have 2 streams at once; fewer than 2 are free, and with split=1 each channel counts as one",
    );
    const again = connect("split=1&channels=3", "big");
    await again.next("ready");
  });
});

Deno.test("stream: a sample that is not finite names its channel and ends its own stream alone", async () => {
  await withServer({}, async (server) => {
    const [bad, good] = [
      server.connect("split=1&channels=2&encoding=f32le"),
      server.connect("split=1&channels=2"),
    ];
    await Promise.all([bad.next("ready"), good.next("ready")]);
    const floats = new Float32Array(2 * 500);
    floats[2 * 321 + 1] = NaN;
    bad.send(new Uint8Array(floats.buffer));
    assert.equal(await bad.closed(), 4400);
    assert.equal(
      bad.all("error")[0].message,
      "sample 321 of channel 1 is NaN; every sample must be a finite number",
    );
    const { bytes, each } = channelNoise(2, { length: 2_000, seed: 3, sampleBytes: 2 });
    good.send(bytes);
    good.send(FINISH);
    assert.equal(await good.closed(), 1000);
    assertChannels(heardFrames(good.came, WIDTHS), each.map((one) => signalOf(one, 2)), CONTEXT);
  });
});
