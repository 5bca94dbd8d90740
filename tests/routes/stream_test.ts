import assert from "node:assert/strict";
import { connect } from "node:net";
import { toMono } from "../../audio/pcm.ts";
import { StreamingResampler } from "../../audio/resample.ts";
import { toldLimits } from "../../streaming/protocol/limits.ts";
import { serverMessageSchemas } from "../../streaming/protocol/messages.ts";
import { heardFrames } from "../support/stream_client.ts";
import { WIDTHS, withServer } from "../support/stream_server.ts";
import { assertFrames, chunksOf, noise, truthOf } from "../support/stream_truth.ts";

Deno.test("stream: ready tells the configuration in force, the model and the limits", async () => {
  await withServer({}, async (server) => {
    const ready = await server.connect().next("ready");
    serverMessageSchemas.ready.parse(ready);
    const { session: _, resume, ...rest } = ready;
    assert.ok(String(resume).length >= 32);
    assert.deepEqual(rest, {
      type: "ready",
      model: "tiny",
      encoding: "s16le",
      sample_rate: 16_000,
      channels: 1,
      frame_rate: 100,
      hop: 160,
      lookahead: 312,
      dims: { context: 6, latent: 8, steps: 3 },
      output: ["context"],
      steps: [1, 2, 3],
      every: 1,
      format: "json",
      dtype: "f32",
      limits: toldLimits(server.hub.limits, ""),
    });
    const chosen = await server.connect(
      "output=prediction,context&steps=3,1&every=2&format=binary&dtype=f16&model=tiny",
    ).next(
      "ready",
    );
    assert.deepEqual([chosen.output, chosen.steps, chosen.every, chosen.format, chosen.dtype], [
      ["context", "prediction"],
      [1, 3],
      2,
      "binary",
      "f16",
    ]);
  });
});

Deno.test("stream: any chunking gives the reference's frames and the exact tail", async () => {
  await withServer({}, async (server) => {
    const { bytes, samples } = noise(8_123, 1);
    const truth = truthOf(samples);
    const cases = [
      {
        query: "output=context,latent,prediction",
        steps: [1, 2, 3],
        every: 1,
        longest: 900,
        tolerance: 1e-4,
      },
      {
        query: "output=latent,prediction&steps=2&format=binary",
        steps: [2],
        every: 1,
        longest: 5000,
        tolerance: 1e-4,
      },
      {
        query: "output=context&every=3&format=binary&dtype=f16",
        steps: [],
        every: 3,
        longest: 700,
        tolerance: 2e-3,
      },
      {
        query: "output=context,prediction&steps=3,1&every=4",
        steps: [1, 3],
        every: 4,
        longest: 40,
        tolerance: 1e-4,
      },
    ];
    for (const [seed, { query, longest, ...expected }] of cases.entries()) {
      const client = server.connect(query);
      const { output } = await client.next("ready");
      for (const chunk of chunksOf(bytes, { longest, seed })) client.send(chunk);
      client.send(new Uint8Array(0));
      client.send(new Uint8Array([7])); // half a sample is dropped
      const exact = Math.floor((8_123 - 312) / 160) + 1;
      assert.deepEqual(await client.mark(), {
        type: "marked",
        id: 0,
        samples: 8_123,
        frames: exact,
      });
      const before = heardFrames(client.came, { ...WIDTHS, every: expected.every });
      assert.equal(
        before.length,
        Math.ceil(exact / expected.every),
        "frames are sent before the mark is answered",
      );
      client.send({ type: "finish" });
      const done = serverMessageSchemas.done.parse(await client.next("done"));
      assert.deepEqual([done.samples, done.frames, done.seconds], [
        8_123,
        truth.length,
        8_123 / 16_000,
      ]);
      assert.equal(done.stats.audio_s, 0.508);
      assert.ok(done.stats.compute_s > 0 && done.stats.backlog_max_s > 0);
      assert.equal(await client.closed(), 1000);
      for (const frames of client.all("frames")) {
        serverMessageSchemas.frames.parse(frames);
        assert.equal(frames.time, Number(((frames.first as number) / 100).toFixed(6)));
      }
      assertFrames(heardFrames(client.came, { ...WIDTHS, every: expected.every }), truth, {
        output: output as ("context" | "latent" | "prediction")[],
        ...expected,
      });
    }
  });
});

Deno.test("stream: a frame comes with the sample that completes it", async () => {
  await withServer({}, async (server) => {
    const { bytes } = noise(1000, 2);
    const client = server.connect();
    await client.next("ready");
    for (const [until, frames] of [[311, 0], [312, 1], [471, 1], [472, 2]]) {
      const { samples } = await client.mark();
      client.send(bytes.subarray(2 * (samples as number), 2 * until));
      assert.equal((await client.mark()).frames, frames);
      assert.equal(client.all("frames").length, frames);
    }
  });
});

Deno.test("stream: reset begins a segment, update changes what comes next", async () => {
  await withServer({}, async (server) => {
    const [first, second] = [noise(3_000, 3), noise(4_000, 4)];
    const client = server.connect();
    await client.next("ready");
    client.send(first.bytes.subarray(0, -1));
    client.send({ type: "reset" });
    assert.deepEqual(await client.next("reset"), { type: "reset", segment: 1 });
    assertFrames(heardFrames(client.came, WIDTHS), truthOf(first.samples).slice(0, 17), {
      output: ["context"],
    });
    client.came.length = 0;
    client.send(second.bytes.subarray(0, 4_000));
    client.send({ type: "update", output: ["prediction", "latent"], steps: [3, 2], every: 2 });
    assert.deepEqual(await client.next("updated"), {
      type: "updated",
      output: ["latent", "prediction"],
      steps: [2, 3],
      every: 2,
    });
    const truth = truthOf(second.samples);
    assertFrames(heardFrames(client.came, WIDTHS), truth.slice(0, 11), { output: ["context"] });
    client.came.length = 0;
    client.send(second.bytes.subarray(4_000));
    client.send({ type: "finish" });
    assert.equal((await client.next("done")).samples, 4_000);
    assertFrames(heardFrames(client.came, { ...WIDTHS, every: 2 }), truth.slice(11), {
      output: ["latent", "prediction"],
      steps: [2, 3],
      every: 2,
    });
    assert.equal(await client.closed(), 1000);
    assert.deepEqual(server.errors, []);
  });
});

Deno.test("stream: messages after finish change nothing", async () => {
  await withServer({}, async (server) => {
    const client = server.connect();
    await client.next("ready");
    client.send(noise(2_000, 5).bytes);
    for (let i = 0; i < 2; i++) client.send({ type: "finish" });
    client.send(noise(100, 5).bytes);
    assert.equal(await client.closed(), 1000);
    assert.equal(client.all("done").length, 1);
    assert.deepEqual([client.all("error"), server.errors], [[], []]);
  });
});

Deno.test("stream: a mark's id comes back as it is, however deep", async () => {
  await withServer({}, async (server) => {
    const client = server.connect();
    await client.next("ready");
    for (const [n, id] of [null, 0, "ä\u0000", { a: [1, { b: false }] }, [[]]].entries()) {
      client.send({ type: "mark", id });
      assert.deepEqual((await client.next("marked", n)).id, id);
    }
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    client.socket.send(`{"type":"mark","id":${deep}}`);
    const answer = await client.next("marked", 5);
    assert.equal(JSON.stringify(answer.id), deep);
  });
});

Deno.test("stream: audio that comes in one segment with the handshake is heard", async () => {
  await withServer({}, async (server) => {
    const socket = connect(server.port, "127.0.0.1");
    const audio = [0x82, 0x80 | 100, 0, 0, 0, 0, ...new Array(100).fill(1)];
    const mark = new TextEncoder().encode(`{"type":"mark"}`);
    const text = [0x81, 0x80 | mark.length, 0, 0, 0, 0, ...mark];
    const handshake =
      "GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    socket.write(new Uint8Array([...new TextEncoder().encode(handshake), ...audio, ...text]));
    let heard = "";
    for await (const data of socket) {
      heard += new TextDecoder("latin1").decode(data);
      if (heard.includes("marked")) break; // leaving the loop destroys the socket
    }
    assert.match(heard, /"marked","id":null,"samples":50,"frames":0/);
  });
});

Deno.test("stream: encodings, rates, channels are heard as resampled whole", async () => {
  await withServer({}, async (server) => {
    const cases = [
      { encoding: "mulaw", sample_rate: 8_000, channels: 1 },
      { encoding: "alaw", sample_rate: 8_000, channels: 2 },
      { encoding: "s16le", sample_rate: 48_000, channels: 2 },
      { encoding: "s16le", sample_rate: 44_100, channels: 3, channel: 2 },
      { encoding: "f32le", sample_rate: 16_000, channels: 2, channel: 0 },
      { encoding: "s16le", sample_rate: 96_000, channels: 8 },
    ] as const;
    for (const [seed, { sample_rate, ...format }] of cases.entries()) {
      const length = sample_rate / 4 | 0;
      const raw = noise(length * format.channels, seed + 20);
      const bytes = format.encoding === "f32le"
        ? new Uint8Array(raw.samples.buffer)
        : format.encoding === "s16le"
        ? raw.bytes
        : raw.bytes.subarray(0, length * format.channels);
      const mono = toMono(bytes, format);
      const resampler = new StreamingResampler({ fromRate: sample_rate });
      const whole = sample_rate === 16_000
        ? [mono]
        : [resampler.push(mono).slice(), resampler.flush()];
      const samples = Float32Array.from(whole.flatMap((part) => [...part]));
      assert.equal(samples.length, Math.ceil(length * 16_000 / sample_rate));
      const query = new URLSearchParams(
        Object.entries({ ...format, sample_rate }).map(([name, value]) => [name, `${value}`]),
      );
      const client = server.connect(`${query}`);
      await client.next("ready");
      for (const chunk of chunksOf(bytes, { longest: 3000, seed })) client.send(chunk);
      client.send({ type: "finish" });
      const done = await client.next("done");
      assert.deepEqual([done.samples, done.seconds], [length, length / sample_rate]);
      await client.closed();
      assertFrames(heardFrames(client.came, WIDTHS), truthOf(samples), { output: ["context"] });
    }
  });
});
