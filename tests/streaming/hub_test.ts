import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { EnginePool } from "../../inference/pool.ts";
import { HopCost } from "../../inference/hop_cost.ts";
import type { StepTiming } from "../../inference/messages.ts";
import type { CpcError } from "../../errors.ts";
import type { Member } from "../../streaming/member.ts";
import { serverMessageSchemas } from "../../streaming/protocol/messages.ts";
import { heardFrames, type StreamClient } from "../support/stream_client.ts";
import { tiny, WIDTHS, withServer } from "../support/stream_server.ts";
import { assertFrames, noise, truthOf } from "../support/stream_truth.ts";

/** Says a little, and waits until the server has heard it. */
async function speak(client: StreamClient): Promise<void> {
  client.send(new Uint8Array(64));
  await client.mark();
}

async function assertOverloaded(client: StreamClient, message: RegExp): Promise<void> {
  const error = serverMessageSchemas.error.parse(await client.next("error"));
  assert.deepEqual([error.code, error.retryable, error.retry_after_ms], ["overloaded", true, 2000]);
  assert.match(error.message, message);
  assert.equal(await client.closed(), 1013);
}

Deno.test("Hub.admit() refuses a stream more than is kept live, and says when", async () => {
  let hopMs = 3; // of 10: three streams fit into the one worker
  await withServer({ secondsPerHop: () => hopMs / 1000 }, async (server) => {
    const idle = server.connect();
    await idle.next("ready");
    const clients = [0, 1, 2].map(() => server.connect());
    for (const client of clients) {
      await client.next("ready");
      await speak(client);
    }
    await assertOverloaded(
      server.connect(),
      /3 streams are active, and this machine keeps about 3 live/,
    );
    hopMs = 2; // steps have become faster: five fit
    const fourth = server.connect();
    await fourth.next("ready");
    await speak(fourth);
    hopMs = 3;
    await assertOverloaded(server.connect(), /4 streams are active/);
    await server.pass(2); // nobody speaks any more
    await server.connect().next("ready");
    for (const client of clients) await speak(client);
    const { bytes, samples } = noise(4_000, 1);
    const token = (await fourth.next("ready")).resume;
    await fourth.terminate();
    await assertOverloaded(server.connect(`resume=${token}&received=0`), /3 streams are active/);
    await server.pass(2);
    // the refusal left the token as it was
    const resumed = server.connect(`resume=${token}&received=0`);
    assert.equal((await resumed.next("ready")).samples, 32);
    resumed.send({ type: "reset" });
    resumed.send(bytes);
    resumed.send({ type: "finish" });
    assert.equal(await resumed.closed(), 1000);
    assertFrames(heardFrames(resumed.came, WIDTHS), truthOf(samples), { output: ["context"] });
  });
});

/** A connection of one silent stream. @param tick what a look at it does */
function memberOf(
  tick: () => void,
  fail: (this: Member, error: CpcError) => void = () => {},
): Member {
  return {
    owner: "",
    address: undefined,
    model: "tiny",
    audioMs: -Infinity,
    lateS: 0,
    openedAtMs: 0,
    streams: 1,
    tick,
    warn: () => {},
    fail,
    drain: () => Promise.resolve(),
  };
}

Deno.test("Hub.tick() gives others their turn, and looks once at each connection", async () => {
  await withServer({ limits: { maxStreams: 1000 } }, async ({ hub }) => {
    const ticks = Array.from({ length: 20 }, () => 0);
    const members = ticks.map((_, i) =>
      memberOf(() => {
        ticks[i]++;
        // writes a ping, say
        for (const endMs = performance.now() + 0.2; performance.now() < endMs;);
      })
    );
    for (const member of members) hub.admit(member, { model: "tiny", streams: 1 });
    const seen = () => ticks.filter((count) => count > 0).length;
    const { setTimeout } = globalThis;
    const restsMs: unknown[] = [];
    globalThis.setTimeout = new Proxy(setTimeout, {
      apply(target, self, args) {
        restsMs.push(args[1]);
        return Reflect.apply(target, self, args);
      },
    });
    const whole = hub.tick();
    assert.ok(seen() < members.length, "not all in one turn");
    const gone = members.at(-1)!;
    hub.detach(gone, undefined, { keep: false });
    await hub.tick(); // the timer does not wait for a slow one
    await whole;
    globalThis.setTimeout = setTimeout;
    // a thread without a rest hears model workers late
    assert.ok(restsMs.filter((ms) => Number(ms) >= 10).length >= 2, `rests: ${restsMs} ms`);
    assert.deepEqual(ticks, ticks.map((_, i) => i < members.length - 1 ? 1 : 0));
    for (const member of members) hub.detach(member, undefined, { keep: false });
  });
});

Deno.test("Hub counts each stream that it lets in, and its end, however it ends", async () => {
  await withServer({ limits: { maxStreams: 3 } }, async (server) => {
    const clients = [0, 1, 2].map(() => server.connect());
    for (const client of clients) await client.next("ready");
    assert.equal(await server.connect().closed(), 4429);
    assert.deepEqual([server.counts, server.errors], [{ opened: 3, ended: 0 }, [
      "too_many_streams",
    ]]);
    const [cut, done, faulty] = clients;
    await cut!.terminate();
    done!.send({ type: "finish" });
    faulty!.send({ type: "nonsense" });
    await done!.closed();
    await faulty!.closed();
    await server.settled();
    assert.deepEqual(server.counts, { opened: 3, ended: 3 });
    assert.deepEqual(server.errors, ["too_many_streams", "invalid_message"]);
  });
});

Deno.test("Hub.admit() reckons with each model's cost, and takes one always", async () => {
  await withServer(
    { secondsPerHop: (model) => model === "tiny" ? 0.02 : 0.004 },
    async (server) => {
      const heavy = server.connect("model=tiny"); // takes two workers' time, of which there is one
      await heavy.next("ready");
      await speak(heavy);
      await assertOverloaded(server.connect("model=plain"), /1 streams are active/);
      await server.pass(2);
      for (let i = 0; i < 2; i++) {
        const light = server.connect("model=plain");
        await light.next("ready");
        await speak(light);
      }
      await assertOverloaded(
        server.connect("model=plain"),
        /2 streams are active, and this machine keeps about 2 live/,
      );
      await assertOverloaded(server.connect("model=tiny"), /keeps about 1 live/);
    },
  );
});

Deno.test("EnginePool.secondsPerHop() follows the steps that are taken", async () => {
  const steps: StepTiming[] = [];
  const pool = await EnginePool.start({
    models: [tiny],
    engine: "onnx",
    device: "cpu",
    precision: "fp32",
    workers: 1,
    maxStreams: 1,
    onStep: (step) => steps.push(step),
  });
  try {
    const expected = new HopCost(pool.secondsPerHop("tiny"));
    const want = { context: true, latent: false, prediction: [], score: [], every: 1 };
    const stream = pool.open({
      model: "tiny",
      priority: "live",
      want,
      onFrames: () => {},
      onError: assert.fail,
    });
    for (const seconds of [0.1, 2, 0.5]) {
      stream.push(noise(16_000 * seconds, 1).samples);
      await stream.drained();
    }
    stream.release();
    assert.ok(steps.length > 3 && steps.every(({ model }) => model === "tiny"));
    for (const { streams, hops, stepMs } of steps) {
      expected.observe({ rows: streams * hops, seconds: stepMs / 1000 });
    }
    assert.equal(pool.secondsPerHop("tiny"), expected.seconds);
  } finally {
    await pool.close();
  }
});

Deno.test("Hub.tick() ends a connection that breaks when it is looked at, alone", async () => {
  await withServer({}, async ({ hub }) => {
    const seen: string[] = [];
    const named = (name: string, tick: () => void) =>
      memberOf(tick, function ({ code }) {
        seen.push(`${name}: ${code}`);
        hub.detach(this, undefined, { keep: false });
      });
    const broken = named("broken", () => {
      throw new TypeError("a bug");
    });
    const other = named("other", () => void seen.push("other"));
    for (const member of [broken, other]) hub.admit(member, { model: "tiny", streams: 1 });
    await hub.tick();
    await hub.tick();
    // the hub's own timer may look as well
    assert.deepEqual(seen, ["broken: internal", ...Array(seen.length - 1).fill("other")]);
    assert.ok(seen.length >= 3);
    hub.detach(other, undefined, { keep: false });
  });
});

Deno.test("Hub.tick() ends the newest of late streams, while none is being added", async () => {
  await withServer({}, async ({ hub, pool, pass }) => {
    const failed: string[] = [];
    const members = ["older", "newer"].map((name, i): Member => ({
      owner: "",
      address: undefined,
      model: "tiny",
      get audioMs() {
        return hub.nowMs();
      },
      lateS: 0,
      openedAtMs: i,
      streams: 1,
      tick: () => {},
      warn: () => {},
      fail: ({ code }) => void failed.push(`${name} ${code}`),
      drain: () => Promise.resolve(),
    }));
    for (const member of members) hub.admit(member, { model: "tiny", streams: 1 });
    for (const member of members) Object.assign(member, { lateS: 2 });
    Object.defineProperty(pool, "isAdding", { value: true, configurable: true });
    const second = async () => {
      pass(1);
      await new Promise((resolve) => setImmediate(resolve)); // a look may let others have a turn
    };
    for (let i = 0; i < 5; i++) await second();
    assert.deepEqual(failed, []);
    Object.defineProperty(pool, "isAdding", { value: false });
    while (failed.length === 0) await second();
    assert.deepEqual(failed, ["newer overloaded"]);
    for (const member of members) hub.detach(member, undefined, { keep: false });
  });
});
