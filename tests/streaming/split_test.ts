/** `split=1`: every channel of a socket is a stream of its own, in step with the others. */
import assert from "node:assert/strict";
import { toMono } from "../../audio/pcm.ts";
import { StreamingResampler } from "../../audio/resample.ts";
import { type Came, heardFrames } from "../support/stream_client.ts";
import { WIDTHS, withServer } from "../support/stream_server.ts";
import {
  assertChannels,
  assertFrames,
  channelFrames,
  channelNoise,
  chunksOf,
  signalOf,
  truthOf,
} from "../support/stream_truth.ts";

const FINISH = { type: "finish" };
const CONTEXT = { output: ["context"] } as const;

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
  Deno.test(`stream: ${name}: channels give their own frames, in any chunks`, async () => {
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

Deno.test("stream: a sample that is not finite names its channel and ends one stream", async () => {
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
