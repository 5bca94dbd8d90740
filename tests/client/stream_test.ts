import assert from "node:assert/strict";
import { connect, type CpcStream, type Frames, StreamError } from "../../client/mod.ts";
import { withCutProxy } from "../support/cut_proxy.ts";
import type { HeardFrame } from "../support/stream_client.ts";
import { speakerHead } from "../../model/heads/speaker.ts";
import { tiny, withServer } from "../support/stream_server.ts";
import { assertFrames, noise, truthOf } from "../support/stream_truth.ts";

/** Frames of the client as the assertions want them. */
function heard(frames: readonly Frames[]): HeardFrame[] {
  return frames.flatMap(({ first, count, every, context, latent, prediction }) =>
    Array.from({ length: count }, (_, i) => ({
      index: first + i * every,
      ...(context && { context: [...context[i] ?? []] }),
      ...(latent && { latent: [...latent[i] ?? []] }),
      ...(prediction && { prediction: prediction[i]?.map((row) => [...row]) }),
    }))
  );
}

async function readAll(stream: CpcStream): Promise<Frames[]> {
  const all: Frames[] = [];
  for await (const frames of stream) all.push(frames);
  return all;
}

const rejectsWith = (code: string) => (error: unknown) =>
  error instanceof StreamError && error.code === code;

Deno.test("connect() streams what the reference computes, in every format", async () => {
  await withServer({}, async ({ url }) => {
    const { bytes, samples } = noise(6_000, 1);
    const truth = truthOf(samples);
    const output = ["context", "latent", "prediction"] as const;
    const cases = [
      { options: { format: "binary" as const }, audio: samples, tolerance: 1e-4 },
      {
        options: { format: "json" as const, encoding: "s16le" as const },
        audio: samples,
        tolerance: 1e-4,
      },
      {
        options: { format: "binary" as const, dtype: "f16" as const, encoding: "s16le" as const },
        audio: bytes,
        tolerance: 2e-3,
      },
      { options: {}, audio: new Int16Array(bytes.buffer), tolerance: 1e-4 },
    ];
    for (const { options, audio, tolerance } of cases) {
      const stream = await connect(url, { output: [...output], ...options });
      const reading = readAll(stream);
      for (let at = 0; at < audio.length; at += 700) {
        await stream.send(audio.subarray(at, at + 700));
      }
      assert.deepEqual(await stream.mark({ my: 1 }), { id: { my: 1 }, samples: 6_000, frames: 36 });
      const done = await stream.finish();
      assert.deepEqual([done.samples, done.frames], [6_000, truth.length]);
      assertFrames(heard(await reading), truth, { output, tolerance });
      assert.equal(await stream.closed, undefined);
    }
  });
});

Deno.test("CpcStream.reset() and update() answer in order; later audio is theirs", async () => {
  await withServer({}, async ({ url }) => {
    const [first, second] = [noise(3_000, 2), noise(5_000, 3)];
    const stream = await connect(url, { encoding: "s16le" });
    const reading = readAll(stream);
    void stream.send(first.bytes);
    const updated = stream.update({ output: ["latent"], every: 3 });
    void stream.send(first.bytes.subarray(0, 320));
    const reset = stream.reset();
    void stream.send(second.bytes);
    assert.deepEqual(await updated, { output: ["latent"], steps: [1, 2, 3], every: 3 });
    assert.deepEqual((await reset).segment, 1);
    await stream.finish();
    const frames = await reading;
    const old = frames.filter(({ segment }) => segment === 0);
    assert.ok(
      old.some(({ every }) => every === 1) &&
        frames.every(({ segment, context }) => segment === 0 || !context),
    );
    assertFrames(heard(frames.filter(({ segment }) => segment === 1)), truthOf(second.samples), {
      output: ["latent"],
      every: 3,
    });
  });
});

Deno.test("CpcStream: cut connections resume; no frame is lost, none comes twice", async () => {
  await withServer({}, async ({ port, errors }) => {
    await withCutProxy(port, async (proxy) => {
      const { bytes, samples } = noise(40_000, 4);
      const states: string[] = [];
      const stream = await connect(`http://127.0.0.1:${proxy.port}`, { encoding: "s16le" });
      stream.on("state", ({ state }) => states.push(state));
      const reading = readAll(stream);
      for (let at = 0; at < bytes.length; at += 8_001) { // odd: samples are cut in two
        if (at % 3 === 0) proxy.cutAfter(1500);
        await stream.send(bytes.subarray(at, at + 8_001));
        if (at > 0) await stream.mark();
      }
      proxy.cut();
      const done = await stream.finish();
      const truth = truthOf(samples);
      assert.deepEqual([done.samples, done.frames], [40_000, truth.length]);
      assertFrames(heard(await reading), truth, { output: ["context"] });
      assert.ok(proxy.connections >= 3, `${proxy.connections} connections`);
      const opened = states.filter((state) => state === "open").length;
      assert.ok(
        opened >= 1 && opened < proxy.connections,
        `${opened} of ${proxy.connections} connections resumed`,
      );
      assert.equal(states.at(-1), "closed");
      assert.deepEqual(errors, []);
    });
  });
});

Deno.test("CpcStream: a connection cut before any audio begins anew, nothing lost", async () => {
  await withServer({ limits: { resumeWindowS: 0 } }, async ({ port, pass, settled }) => {
    const { bytes, samples } = noise(6_000, 8);
    await withCutProxy(port, async (proxy) => {
      const stream = await connect(`http://127.0.0.1:${proxy.port}`, { encoding: "s16le" });
      const { session } = stream.ready;
      await stream.update({ output: ["context", "latent"] });
      const reading = readAll(stream);
      proxy.cut();
      await settled();
      pass(1); // the server has let go of the session
      await stream.send(bytes);
      await stream.finish();
      assert.notEqual(stream.ready.session, session);
      assertFrames(heard(await reading), truthOf(samples), { output: ["context", "latent"] });
    });
  });
});

Deno.test("CpcStream: a connection cut within a resume's ready is resumed again", async () => {
  await withServer({}, async ({ port }) => {
    await withCutProxy(port, async (proxy) => {
      const { bytes, samples } = noise(10_000, 9);
      const stream = await connect(`http://127.0.0.1:${proxy.port}`, { encoding: "s16le" });
      const reading = readAll(stream);
      let cuts = [50, 600]; // within the handshake's answer, then within ready
      stream.on("state", ({ state }) => {
        const [first, ...rest] = cuts;
        if (state === "resuming" && first !== undefined) proxy.cutAfter(first);
        cuts = rest;
      });
      await stream.send(bytes.subarray(0, 9_001));
      await stream.mark();
      proxy.cut();
      await stream.send(bytes.subarray(9_001));
      const truth = truthOf(samples);
      assert.equal((await stream.finish()).frames, truth.length);
      assertFrames(heard(await reading), truth, { output: ["context"] });
      assert.deepEqual(cuts, []);
    });
  });
});

Deno.test("CpcStream: cut around update, reset or finish, it answers each once", async () => {
  await withServer({}, async ({ port }) => {
    await withCutProxy(port, async (proxy) => {
      const [first, second] = [noise(4_000, 5), noise(6_000, 6)];
      for (const bytes of [1, 40, 100, 300, 1000]) { // where the answers are cut
        const stream = await connect(`http://127.0.0.1:${proxy.port}`, { encoding: "s16le" });
        const reading = readAll(stream);
        await stream.send(first.bytes);
        await stream.mark();
        proxy.cutAfter(bytes);
        const updated = stream.update({ output: ["context", "latent"] });
        await updated;
        proxy.cutAfter(bytes);
        assert.equal((await stream.reset()).segment, 1);
        await stream.send(second.bytes);
        proxy.cutAfter(bytes);
        const truth = truthOf(second.samples);
        assert.equal((await stream.finish()).frames, truth.length);
        const frames = (await reading).filter(({ segment }) => segment === 1);
        assertFrames(heard(frames), truth, { output: ["context", "latent"] });
      }
    });
  });
});

Deno.test("CpcStream.send() waits for the server, so that what is kept is bounded", async () => {
  await withServer({}, async ({ url }) => {
    const stream = await connect(url, { encoding: "s16le", every: 1_000_000, windowSeconds: 1 });
    const { bytes } = noise(16_000 * 20, 7);
    const reading = readAll(stream);
    await stream.send(bytes);
    const { samples } = await stream.mark();
    assert.equal(samples, 16_000 * 20);
    await stream.finish();
    assert.equal(heard(await reading).length, 1);
  });
});

Deno.test("connect() and CpcStream say why they fail, and whether to try again", async () => {
  await withServer({ keys: true, limits: { maxStreams: 1 } }, async ({ url, pass, settled }) => {
    await assert.rejects(connect(url), rejectsWith("unauthorized"));
    await assert.rejects(connect(url, { key: "not a key" }), rejectsWith("unauthorized"));
    const separators = await connect(url, { key: "key-é/+=" }); // cannot be a subprotocol as it is
    separators.close();
    await settled();
    await assert.rejects(connect(url, { key: "key-a", every: 0 }), (error) => {
      assert.ok(error instanceof StreamError);
      assert.deepEqual([error.code, error.closeCode, error.param, error.retryable], [
        "invalid_option",
        4400,
        "every",
        false,
      ]);
      return true;
    });
    const stream = await connect(url, { key: "key-a" });
    await assert.rejects(
      connect(url, { key: "key-a" }),
      (error) => error instanceof StreamError && error.retryable,
    );
    pass(61);
    assert.equal((await stream.closed)?.code, "idle_timeout");
    await assert.rejects(stream.send(new Float32Array(1)), rejectsWith("idle_timeout"));
    await assert.rejects(readAll(stream), rejectsWith("idle_timeout"));
  });
  await assert.rejects(
    connect("http://127.0.0.1:1"),
    (error) => error instanceof StreamError && error.closeCode === 1006,
  );
});

Deno.test("CpcStream.update() enrols a voice for head.speaker", async () => {
  const heads = [speakerHead({ context: 6, frameRate: 100 })];
  await withServer({ models: [{ ...tiny, heads }] }, async ({ url }) => {
    const stream = await connect(url, { output: ["head.speaker"], encoding: "s16le" });
    let rows = 0;
    stream.on("head", ({ count }) => rows += count);
    const change = { voice: Float32Array.of(1, -2, 3, 0, 1, 1) };
    assert.deepEqual(await stream.update(change), {
      output: ["head.speaker"],
      steps: [1, 2, 3],
      every: 1,
    });
    void stream.send(noise(5_000, 9).bytes);
    await stream.finish();
    assert.equal(rows, 3);
  });
});

Deno.test("CpcStream: a signal ends it at any stage; close() forgets the session", async () => {
  await withServer({}, async ({ port, hub }) => {
    await withCutProxy(port, async (proxy) => {
      const url = `http://127.0.0.1:${proxy.port}`;
      await assert.rejects(connect(url, { signal: AbortSignal.abort() }), rejectsWith("aborted"));
      const controller = new AbortController();
      const stream = await connect(url, { signal: controller.signal });
      stream.on("state", ({ state }) => state === "resuming" && controller.abort());
      proxy.cut();
      assert.equal((await stream.closed)?.code, "aborted");
      const other = await connect(url);
      const mark = other.mark();
      other.close();
      await assert.rejects(mark, rejectsWith("closed"));
      assert.deepEqual(await readAll(other), []);
      assert.ok(hub.size <= 2);
    });
  });
});

Deno.test("connect() works in Node 20", async () => {
  await withServer({}, async ({ url }) => {
    const { bytes, samples } = noise(5_000, 8);
    const script = new URL("./node_client.mjs", import.meta.url).pathname;
    const args = ["--experimental-websocket", "--no-warnings", script, url];
    const node = new Deno.Command("node", {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const writer = node.stdin.getWriter();
    await writer.write(bytes);
    await writer.close();
    const { code, stdout } = await node.output();
    assert.equal(code, 0);
    assertFrames(JSON.parse(new TextDecoder().decode(stdout)), truthOf(samples), {
      output: ["context"],
    });
  });
});
