/** `encoding=opus`, `ogg-opus`, `webm-opus`: what is decoded beside the socket's thread. */
import assert from "node:assert/strict";
import { decodeAll, decoders, streamDecoders } from "../../audio/decode.ts";
import { channelOf } from "../../audio/channels.ts";
import { decodeStream } from "../../audio/decode_stream.ts";
import { decodeLive } from "../../audio/live_opus.ts";
import type { EnginePool } from "../../inference/pool.ts";
import { openStore } from "../../stores/open.ts";
import { fixture, opusPackets } from "../audio/files.ts";
import { concat } from "../audio/signals.ts";
import { sharing } from "../support/stores.ts";
import { heardFrames, type StreamClient } from "../support/stream_client.ts";
import { type StreamServer, WIDTHS, withServer } from "../support/stream_server.ts";
import { assertFrames, channelFrames, chunksOf, noise, truthOf } from "../support/stream_truth.ts";

const CONTEXT = { output: ["context"] } as const;
const FINISH = { type: "finish" };
const FILES = { "ogg-opus": "mono.opus", "webm-opus": "mono.webm" } as const;

function opusTest(
  name: string,
  use: (server: StreamServer) => Promise<void>,
  options: Parameters<typeof withServer>[0] = {},
): void {
  Deno.test(name, async () => {
    try {
      await withServer(options, use);
    } finally {
      streamDecoders.close();
      decoders.close();
    }
  });
}

async function* messagesOf(messages: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* messages;
}

/** A client that may send. */
async function begun(server: StreamServer, query = ""): Promise<StreamClient> {
  const client = server.connect(query);
  await client.next("ready");
  return client;
}

/** Packets of the clip as they are decoded offline. */
async function clip(): Promise<{ packets: Uint8Array[]; samples: Float32Array<ArrayBuffer> }> {
  const [, ...packets] = await opusPackets("mono.opus");
  return { packets, samples: await offline(packets) };
}

async function offline(packets: readonly Uint8Array[]): Promise<Float32Array<ArrayBuffer>> {
  const options = { encoding: "opus", channels: 1, split: false } as const;
  return concat(await Array.fromAsync(decodeLive(messagesOf(packets), options)));
}

function assertHeard(client: StreamClient, samples: Float32Array): void {
  assertFrames(heardFrames(client.came, WIDTHS), truthOf(samples), CONTEXT);
}

for (const [encoding, file] of Object.entries(FILES)) {
  opusTest(
    `stream: encoding=${encoding} gives the frames of the file, however it is cut`,
    async (server) => {
      const { samples } = await decodeAll(fixture("mono.opus"));
      for (const [seed, longest] of [[1, 40], [2, 900], [3, 9_000]]) {
        const client = await begun(server, `encoding=${encoding}&format=binary`);
        for (const chunk of chunksOf(fixture(file), { longest, seed })) client.send(chunk);
        client.send(FINISH);
        const done = await client.next("done");
        assert.deepEqual([done.samples, done.seconds], [12_001, 12_001 / 16_000]);
        assert.equal(await client.closed(), 1000);
        assertHeard(client, samples);
      }
    },
  );
}

opusTest(
  "stream: encoding=opus gives the frames of its packets; marks count what was decoded",
  async (server) => {
    const { packets, samples } = await clip();
    const client = await begun(server, "encoding=opus&sample_rate=48000");
    assert.equal((await client.next("ready")).sample_rate, 48_000);
    for (const packet of packets.slice(0, 10)) client.send(packet);
    client.send(new Uint8Array(0));
    const marked = await client.mark();
    const exact = truthOf(samples.subarray(0, 3_200)).length - 1; // the last one needs what follows
    assert.deepEqual([marked.samples, marked.frames], [10 * 960, exact]);
    assert.equal(heardFrames(client.came, WIDTHS).length, exact);
    for (const packet of packets.slice(10)) client.send(packet);
    client.send(FINISH);
    const done = await client.next("done");
    assert.deepEqual([done.samples, done.seconds], [38 * 960, 0.76]);
    assertHeard(client, samples);
  },
);

opusTest(
  "stream: encoding=opus conceals what is lost, and goes on with the right times",
  async (server) => {
    const { packets } = await clip();
    const sent = packets.with(7, packets[6].subarray(0, 1).map((toc) => toc & 0xfc));
    const client = await begun(server, "encoding=opus");
    for (const packet of sent) client.send(packet);
    client.send(FINISH);
    assert.equal((await client.next("done")).samples, 38 * 320);
    assertHeard(client, await offline(sent));
  },
);

opusTest("stream: split=1 gives the frames of every channel of a recording", async (server) => {
  const both = concat(
    await Array.fromAsync(decodeStream(messagesOf([fixture("stereo.opus")]), { split: true })),
  );
  const client = await begun(server, "encoding=webm-opus&channels=2&split=1");
  for (const chunk of chunksOf(fixture("stereo.webm"), { longest: 500, seed: 4 })) {
    client.send(chunk);
  }
  client.send(FINISH);
  assert.equal((await client.next("done")).samples, 12_001);
  for (const channel of [0, 1]) {
    const truth = truthOf(channelOf(both, { channels: 2, channel }));
    assertFrames(channelFrames(heardFrames(client.came, WIDTHS), channel), truth, CONTEXT);
  }
});

opusTest("stream: a damaged packet ends its own stream with 4400, and no other", async (server) => {
  const { packets, samples } = await clip();
  const [bad, good] = [await begun(server, "encoding=opus"), await begun(server, "encoding=opus")];
  const wav = await begun(server);
  for (const packet of packets.slice(0, 5)) for (const one of [bad, good]) one.send(packet);
  const pcm = noise(4_000, 5);
  wav.send(pcm.bytes);
  await good.mark();
  bad.send(Uint8Array.of(0xff));
  const error = await bad.next("error");
  assert.deepEqual([error.code, await bad.closed()], ["invalid_audio", 4400]);
  assert.match(String(error.message), /a packet after 0.1 s is damaged \(libopus -4/);
  for (const packet of packets.slice(5)) good.send(packet);
  for (const one of [good, wav]) one.send(FINISH);
  await Promise.all([good.next("done"), wav.next("done")]);
  assertHeard(good, samples);
  assertHeard(wav, pcm.samples);
});

opusTest(
  "stream: a decoder that breaks down ends its streams with 4500, and a new one begins",
  async (server) => {
    const { packets, samples } = await clip();
    const lost = await begun(server, "encoding=opus");
    lost.send(packets[0]);
    await lost.mark();
    streamDecoders.close();
    lost.send(packets[1]);
    assert.equal((await lost.next("error")).code, "internal");
    assert.equal(await lost.closed(), 4500);
    const next = await begun(server, "encoding=opus");
    for (const packet of packets) next.send(packet);
    next.send(FINISH);
    await next.next("done");
    assertHeard(next, samples);
  },
);

for (
  const [query, param, why] of [
    ["encoding=opus&sample_rate=44100", "sample_rate", /8000, 12000, 16000, 24000, 48000/],
    ["encoding=opus&channels=3", "channels", /must be 1 or 2/],
    ["encoding=webm", "encoding", /webm-opus/],
  ] as const
) {
  opusTest(`stream: ${query} is 4400`, async (server) => {
    const client = server.connect(query);
    const error = await client.next("error");
    assert.deepEqual([error.code, error.param, await client.closed()], [
      "invalid_option",
      param,
      4400,
    ]);
    assert.match(String(error.message), why);
  });
}

opusTest(
  "stream: after a reset, packets and a new recording get a new decoder; one goes on",
  async (server) => {
    const { packets, samples } = await clip();
    const client = await begun(server, "encoding=opus");
    for (const packet of packets.slice(3, 9)) client.send(packet);
    client.send({ type: "reset" });
    await client.next("reset");
    client.came.length = 0;
    for (const packet of packets) client.send(packet);
    client.send(FINISH);
    assert.equal((await client.next("done")).samples, samples.length);
    assertHeard(client, samples);
    const whole = (await decodeAll(fixture("mono.opus"))).samples;
    const file = fixture("mono.webm");
    for (const [from, heard] of [[0, whole], [1_500, undefined]] as const) {
      const other = await begun(server, "encoding=webm-opus");
      other.send(file.subarray(0, 1_500));
      const marked = await other.mark();
      other.send({ type: "reset" });
      await other.next("reset");
      other.came.length = 0;
      other.send(file.subarray(from));
      other.send(FINISH);
      await other.next("done");
      assertHeard(other, heard ?? whole.subarray(marked.samples as number));
    }
  },
);

opusTest(
  "stream: a message of more audio than chunk_s is refused, and nothing but its stream ends",
  async (server) => {
    const { packets } = await clip();
    const client = await begun(server, "encoding=ogg-opus");
    client.send(fixture("mono.opus"));
    assert.deepEqual([(await client.next("error")).code, await client.closed()], [
      "message_too_big",
      1009,
    ]);
    const next = await begun(server, "encoding=opus");
    next.send(packets[0]);
    await next.mark();
  },
  { limits: { maxChunkSeconds: 0.5 } },
);

/** Cuts a stream here and there, and sends from the byte on that `ready` names. */
async function resumed(
  server: StreamServer,
  { encoding, messages }: { encoding: string; messages: readonly Uint8Array[] },
) {
  let client = await begun(server, `encoding=${encoding}`);
  const frames = new Map<number, ReturnType<typeof heardFrames>[number]>();
  const collect = () => {
    for (const frame of heardFrames(client.came, WIDTHS)) {
      assert.ok(!frames.has(frame.index), `frame ${frame.index} came twice`);
      frames.set(frame.index, frame);
    }
  };
  for (let sent = 0, cuts = 0; sent < messages.length; cuts++) {
    for (const message of messages.slice(sent, sent + 9)) client.send(message);
    if (cuts % 2 === 0) await client.mark();
    else await client.next("ready");
    await client.terminate();
    collect();
    const { resume } = client.all("ready")[0];
    client = server.connect(`resume=${resume}&received=${frames.size}`);
    const ready = await client.next("ready");
    let bytes = 0;
    sent = messages.findIndex(({ length }) => (bytes += length) > (ready.bytes as number));
    if (sent < 0) break;
    assert.equal(
      bytes - messages[sent].length,
      ready.bytes,
      "a message is heard whole or not at all",
    );
  }
  client.send(FINISH);
  const done = await client.next("done");
  collect();
  return { frames: [...frames.values()], done };
}

opusTest(
  "stream: a resume goes on with the decoder where it was, at the byte that ready names",
  async (server) => {
    const { packets, samples } = await clip();
    const bare = await resumed(server, { encoding: "opus", messages: packets });
    assertFrames(bare.frames, truthOf(samples), CONTEXT);
    const whole = (await decodeAll(fixture("mono.opus"))).samples;
    for (const [encoding, file] of Object.entries(FILES)) {
      const messages = [...chunksOf(fixture(file), { longest: 150, seed: 6 })];
      const { frames, done } = await resumed(server, { encoding, messages });
      assert.equal(done.samples, 12_001);
      assertFrames(frames, truthOf(whole), CONTEXT);
    }
  },
);

/** A WebM document with so many packets of 120 ms, which hold nothing. */
function silentWebm(packets: number): Uint8Array {
  const file = fixture("mono.webm");
  const cluster = [0x1f, 0x43, 0xb6, 0x75];
  const at = file.findIndex((_, i) => cluster.every((byte, k) => file[i + k] === byte));
  const block = [0xa3, 0x86, 0x81, 0, 0, 0x80, 0x1b, 2]; // two frames of 60 ms without a byte
  const blocks = Array.from({ length: packets }, () => block).flat();
  return Uint8Array.from([...file.subarray(0, at), ...cluster, 0xff, ...blocks]);
}

opusTest(
  "stream: a resume does not decode more of what was left than a session remembers",
  async (server) => {
    const client = await begun(server, "encoding=webm-opus");
    client.send(silentWebm(2000)); // 240 s in one part
    await client.next("frames");
    await client.terminate();
    await server.settled();
    const { resume } = client.all("ready")[0];
    const back = server.connect(`resume=${resume}&received=0`);
    const { message } = await back.next("error");
    assert.match(String(message), /held more than 60 s of audio/);
    assert.equal(await back.closed(), 4404);
    assert.equal(server.hub.size, 0);
  },
  { limits: { backlogLimitS: 1 } },
);

opusTest("stream: a session's decoder ends with it", async (server) => {
  const { packets } = await clip();
  const client = await begun(server, "encoding=opus");
  client.send(packets[0]);
  await client.mark();
  const { resume } = client.all("ready")[0];
  await client.terminate();
  await server.settled();
  await server.pass(61);
  const late = server.connect(`resume=${resume}&received=0`);
  assert.equal(await late.closed(), 4404);
});

Deno.test("stream: Opus is resumed where its decoder is; elsewhere it is 4404", async () => {
  const folder = await Deno.makeTempDir();
  const open = async (pool: EnginePool) => {
    const store = await openStore({ kind: "sqlite", file: `${folder}/sessions.db` });
    assert.ok(store);
    return await sharing(store)(pool, () => 1_000_000);
  };
  try {
    const { packets, samples } = await clip();
    await withServer({ store: open }, async (server) => {
      const { frames } = await resumed(server, { encoding: "opus", messages: packets });
      assertFrames(frames, truthOf(samples), CONTEXT);
      const client = await begun(server, "encoding=opus");
      for (const packet of packets.slice(0, 9)) client.send(packet);
      await client.mark();
      await client.terminate();
      const { resume } = client.all("ready")[0];
      await withServer({ store: open }, async (other) => {
        const elsewhere = other.connect(`resume=${resume}&received=0`);
        const error = await elsewhere.next("error");
        assert.deepEqual([error.code, await elsewhere.closed()], ["unknown_resume_token", 4404]);
        assert.match(String(error.message), /the server that has its decoder/);
      });
      const back = server.connect(`resume=${resume}&received=0`); // the refusal left the token
      await back.next("ready");
      for (const packet of packets.slice(9)) back.send(packet);
      back.send(FINISH);
      await back.next("done");
      assertHeard(back, samples);
    });
  } finally {
    streamDecoders.close();
    await Deno.remove(folder, { recursive: true });
  }
});
