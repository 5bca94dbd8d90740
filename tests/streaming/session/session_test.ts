import assert from "node:assert/strict";
import fc from "fast-check";
import { withCutProxy } from "../../support/cut_proxy.ts";
import { maxDifference } from "../../support/golden.ts";
import { LastingClient } from "../../support/lasting_client.ts";
import { StreamClient } from "../../support/stream_client.ts";
import { random } from "../../support/stream.ts";
import { withServer } from "../../support/stream_server.ts";
import { assertFrames, noise, signalOf, truthOf } from "../../support/stream_truth.ts";
import { startProxy } from "../../support/tcp_proxy.ts";

const FINISH = { type: "finish" };

Deno.test("session: tokens rotate; an old or foreign one is 4404", async () => {
  await withServer({ keys: true }, async (server) => {
    const as = (name: string) => ({ protocols: ["cpc.v1", `bearer.key-${name}`] });
    const refused = async (query: string, name: string, code: number) => {
      const client = server.connect(query, as(name));
      assert.equal(await client.closed(), code, JSON.stringify(client.came));
    };
    const first = server.connect("every=2", as("anna"));
    const { resume: token, session } = await first.next("ready");
    first.send(noise(2_000, 1).bytes);
    await first.mark();
    await first.terminate();
    await refused(`resume=${token}&received=0`, "bert", 4404);
    await refused(`resume=nonsense&received=0`, "anna", 4404);
    await refused(`resume=${token}&received=0&every=3`, "anna", 4400);
    await refused(`resume=${token}&received=12`, "anna", 4400);
    const second = server.connect(
      `resume=${token}&received=11&every=2&output=context&encoding=s16le`,
      as("anna"),
    );
    const ready = await second.next("ready");
    assert.deepEqual([ready.session, ready.resumed, ready.samples, ready.segment], [
      session,
      true,
      2_000,
      0,
    ]);
    assert.notEqual(ready.resume, token);
    await refused(`resume=${token}&received=0`, "anna", 4404);
    const third = server.connect(`resume=${ready.resume}&received=11`, as("anna"));
    await third.next("ready");
    assert.equal(await second.closed(), 4409);
    third.socket.close(1000); // a clean end: nothing to resume
    await third.closed();
    const { resume: last } = third.all("ready")[0]!;
    await server.settled();
    await refused(`resume=${last}&received=0`, "anna", 4404);
  });
});

Deno.test("session: until a ready is whole, the token before it is good", async () => {
  await withServer({}, async (server) => {
    await withCutProxy(server.port, async (proxy) => {
      const first = server.connect();
      const { resume: token } = await first.next("ready");
      first.send(noise(2_000, 1).bytes);
      await first.mark();
      await first.terminate();
      const query = `resume=${token}&received=11`;
      for (const bytes of [100, 300, 600]) { // within the handshake's answer, then within ready
        proxy.cutAfter(bytes);
        const cut = new StreamClient(`http://127.0.0.1:${proxy.port}`, { query });
        assert.equal(await cut.closed(), 1006);
        assert.deepEqual(cut.all("ready"), []);
      }
      const whole = server.connect(query);
      const { samples, resume } = await whole.next("ready");
      assert.equal(samples, 2_000);
      await whole.mark(); // its answer to the server's ping lies before
      assert.equal(await server.connect(query).closed(), 4404);
      const last = server.connect(`resume=${resume}&received=11`);
      await last.next("ready");
      assert.equal(await whole.closed(), 4409);
    });
  });
});

Deno.test("session: kept for the resume window, then 4404", async () => {
  await withServer({ limits: { maxStreams: 1, resumeWindowS: 60 } }, async (server) => {
    const first = server.connect();
    const { resume } = await first.next("ready");
    const second = server.connect(`resume=${resume}&received=0`);
    const ready = await second.next("ready");
    assert.equal(await first.closed(), 4409);
    await second.terminate();
    await server.settled();
    server.pass(59);
    const third = server.connect(`resume=${ready.resume}&received=0`);
    const { resume: last } = await third.next("ready");
    await third.terminate();
    await server.settled();
    server.pass(61);
    assert.equal(await server.connect(`resume=${last}&received=0`).closed(), 4404);
  });
});

const FORMATS = [
  { query: "output=context,latent", sampleBytes: 2, output: ["context", "latent"], every: 1 },
  {
    query: "every=3&format=binary&output=context,prediction",
    sampleBytes: 2,
    output: ["context", "prediction"],
    every: 3,
  },
  { query: "encoding=mulaw&sample_rate=8000", sampleBytes: 1, output: ["context"], every: 1 },
] as const;

Deno.test("session: cut anywhere and resumed, the frames are as if unbroken", async () => {
  await withServer({}, async (server) => {
    const { bytes } = noise(100_000, 5); // several checkpoints long
    const truths = new Map(
      FORMATS.map((format) => [format, truthOf(signalOf(bytes, format.sampleBytes))]),
    );
    const cut = fc.record({
      bytes: fc.integer({ min: 1, max: 150_000 }),
      wait: fc.boolean(),
      alive: fc.boolean(),
    });
    const cuts = fc.array(cut, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...FORMATS), cuts, async (format, cuts) => {
        const stream = new LastingClient(server.url, format);
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
        assert.equal(done?.samples, bytes.length / format.sampleBytes);
        const truth = truths.get(format)!;
        assert.equal(done?.frames, truth.length);
        await stream.client.closed();
        assertFrames(stream.frames, truth, format);
      }),
      { numRuns: 5, seed: 1 },
    );
  });
});

Deno.test("session: scores after a resume are those of an unbroken stream", async () => {
  await withServer({}, async (server) => {
    const { bytes } = noise(100_000, 9);
    const query = "output=score&steps=1,3&every=2";
    const whole = server.connect(query);
    await whole.next("ready");
    whole.send(bytes);
    whole.send(FINISH);
    await whole.closed();
    const stream = new LastingClient(server.url, { query });
    const told = await stream.client.next("ready");
    stream.audio(bytes, 160_001);
    await stream.say({ type: "mark" }, "marked");
    await stream.client.terminate();
    const rest = server.connect(`resume=${told.resume}&received=400`);
    const { samples } = await rest.next("ready");
    rest.send(bytes.subarray(2 * (samples as number)));
    rest.send(FINISH);
    await rest.closed();
    type Score = { nce: number[]; correct: number[]; surprise: number } | null;
    const scores = (client: typeof whole) =>
      client.all("frames").flatMap((block) => block.score as Score[]);
    const expected = scores(whole).slice(200);
    assert.ok(expected.some((score) => score !== null));
    assert.deepEqual(
      scores(rest).map((score) => score?.correct),
      expected.map((score) => score?.correct),
    );
    // steps of many hops round otherwise than steps of few
    const losses = (all: Score[]) =>
      all.flatMap((score) => score ? [...score.nce, score.surprise] : []);
    assert.ok(maxDifference(losses(scores(rest)), losses(expected)) <= 1e-5);
  });
});

Deno.test("session: a proxy that cuts at any byte loses and doubles nothing", async () => {
  await withServer({}, async (server) => {
    const next = random(3);
    let cuts = 40;
    const proxy = await startProxy(
      server.port,
      () => cuts-- > 0 ? 600 + Math.floor(next() * 60_000) : Infinity,
    );
    try {
      for (const format of FORMATS) {
        cuts = 6;
        const { bytes } = noise(40_000, 6);
        const stream = new LastingClient(proxy.url, format);
        while (!await stream.client.next("ready").catch(() => undefined)) {
          stream.client = new LastingClient(proxy.url, format).client;
        }
        let done;
        while (!done) {
          while (stream.client.closeCode === undefined && stream.sent < bytes.length) {
            stream.audio(bytes, Math.min(bytes.length, stream.sent + 8_000));
            await stream.say({ type: "mark" }, "marked");
          }
          if (stream.client.closeCode === undefined) done = await stream.say(FINISH, "done");
          if (!done) await stream.resume();
        }
        assert.ok(stream.resumes > 1, "it was cut");
        assertFrames(stream.frames, truthOf(signalOf(bytes, format.sampleBytes)), format);
        await stream.client.terminate();
      }
    } finally {
      await proxy.close();
    }
  });
});

Deno.test("session: an update whose answer was lost is told again, at its frame", async () => {
  await withServer({}, async (server) => {
    const { bytes, samples } = noise(40_000, 8);
    const stream = new LastingClient(server.url);
    const ready = await stream.client.next("ready");
    const first = stream.client;
    first.send(bytes.subarray(0, 40_000)); // 20 000 samples, 124 frames
    first.send({ type: "update", output: ["latent"], every: 5 });
    first.send(bytes.subarray(40_000, 60_000));
    await first.mark();
    await first.terminate();
    const second = server.connect(`resume=${ready.resume}&received=100&output=context&every=1`);
    const again = await second.next("ready");
    assert.deepEqual([again.samples, again.output, again.every], [30_000, ["context"], 1]);
    second.send(bytes.subarray(60_000));
    second.send(FINISH);
    await second.closed();
    const truth = truthOf(samples);
    const rows = second.all("frames").flatMap((block) => {
      const stride = block.context ? 1 : 5;
      return Array.from(
        { length: block.count as number },
        (_, i) => (block.first as number) + i * stride,
      );
    });
    const expected = truth.map(({ index }) => index).filter((f) =>
      f >= 100 && (f < 124 || f % 5 === 0)
    );
    assert.deepEqual(rows, expected);
    const types = second.came.map((one) => one instanceof Uint8Array ? "" : one.type);
    const place = types.indexOf("updated");
    const before = second.came.slice(0, place).filter((one) =>
      !(one instanceof Uint8Array) && one.type === "frames"
    );
    assert.ok(before.length > 0 && before.every((one) => "context" in one && !("latent" in one)));
  });
});
