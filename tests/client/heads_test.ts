/** Heads through the client: every row and event once, also where the server sends some again. */
import assert from "node:assert/strict";
import { connect, type HeadEvent, type HeadMessage, type Output } from "../../client/mod.ts";
import { EventFollower } from "../../model/heads/events.ts";
import type { HeadFile } from "../../model/heads/spec.ts";
import { withCutProxy } from "../support/cut_proxy.ts";
import { maxDifference } from "../support/golden.ts";
import { fadingHead, fadingRows } from "../support/heads.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { WIDTHS, withServer } from "../support/stream_server.ts";
import { bursts, truthOf } from "../support/stream_truth.ts";

const dims = WIDTHS.C;
const span = { min_on_s: 0.06, min_off_s: 0.06 };
const EVENT = { event: "noise", output: "level", index: 3, on: -10, off: -11, ...span };
const slow = fadingHead({ name: "slow", every: 5, dims, spec: { events: [EVENT] } });
const quick = fadingHead({ name: "quick", every: 2, dims });
const both = fadingHead({ name: "both", channels: 2, every: 4, dims });
/** It hears loudness, which the tiny model hardly does. */
const lively = randomWeights({ ...tinyConfig, input_scale: 100 }, 9, "lively");
const models = [{ ...lively, heads: [slow, quick, both] }];

/** A WebSocket that counts the rows that came, those that came again among them. */
class CountingSocket extends WebSocket {
  static rows = 0;

  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    this.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") return;
      const message = JSON.parse(data);
      if (message.type === "head") CountingSocket.rows += message.count;
    });
  }
}

/** A WebSocket that breaks once, after the first rows of channel 0. */
class BreakingSocket extends WebSocket {
  static breaks = 1;

  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    let isBroken = false;
    this.addEventListener("message", (event) => { // before the client's listener
      if (isBroken) return event.stopImmediatePropagation();
      if (BreakingSocket.breaks === 0 || JSON.parse(event.data).channel !== 0) return;
      BreakingSocket.breaks--;
      isBroken = true;
      this.close(3001);
    });
  }
}

/** Asserts that messages hold these rows of a head, each once, at their times. */
function assertRows(
  messages: readonly HeadMessage[],
  { head: { name, spec: { every } }, signals }: {
    head: HeadFile;
    signals: readonly Float32Array[];
  },
): void {
  const context = signals.map((one) => truthOf(one, lively).flatMap(({ context }) => context));
  const truth = fadingRows(context, { every, dims });
  let next = 0;
  for (const { first, count, time, rows } of messages) {
    assert.deepEqual([first, rows.length], [next, count], `rows of ${name}`);
    assert.ok(Math.abs(time - (first + 1) * every / 100) < 1e-9);
    for (const [i, { level }] of rows.entries()) {
      const floats = (level as number[][]).flat();
      assert.ok(maxDifference(floats, [...truth[first + i].level]) <= 1e-3);
    }
    next += count;
  }
  assert.equal(next, truth.length, `rows of ${name}`);
}

/** Events of the head `slow` that a signal must give: their state and time. */
function eventsOf(signal: Float32Array): [state: string, time: number][] {
  const { every } = slow.spec;
  const context = truthOf(signal, lively).flatMap(({ context }) => context);
  const rows = fadingRows([context], { every, dims });
  const follower = new EventFollower(slow.spec, { hopSamples: 160 });
  const events = rows.flatMap(({ level, loud }, r) =>
    follower.hear(r, Float32Array.of(...level, loud))
  );
  events.push(...follower.finish(rows.length - 1));
  return events.map(({ state, row }) => [state, Number(((row + 1) * every / 100).toFixed(6))]);
}

/** Streams interleaved audio over a connection that is cut again and again. */
async function streamed(
  bytes: Uint8Array<ArrayBuffer>,
  options: { output: readonly Output[]; channels?: number },
): Promise<{ heads: HeadMessage[]; events: HeadEvent[]; rowsThatCame: number }> {
  const heads: HeadMessage[] = [];
  const events: HeadEvent[] = [];
  CountingSocket.rows = 0;
  await withServer({ models }, async ({ port }) => {
    await withCutProxy(port, async (proxy) => {
      const stream = await connect(`http://127.0.0.1:${proxy.port}`, {
        encoding: "s16le",
        split: options.channels !== undefined,
        WebSocket: CountingSocket,
        ...options,
      });
      stream.on("head", (message) => heads.push(message));
      stream.on("event", (event) => events.push(event));
      const piece = Math.ceil(bytes.length / 6);
      for (let at = 0; at < bytes.length; at += piece) {
        proxy.cutAfter(1_000 + at % 1_700); // between the rows of two heads, or rows and frames
        await stream.send(bytes.subarray(at, at + piece));
        await stream.mark();
      }
      proxy.cut();
      await stream.finish();
      assert.ok(proxy.connections >= 3, `${proxy.connections} connections`);
    });
  });
  return { heads, events, rowsThatCame: CountingSocket.rows };
}

for (
  const output of [["head.slow", "head.quick"], ["context", "head.quick", "head.slow"]] as const
) {
  Deno.test(`CpcStream with ${output}: rows and events come once over cut streams`, async () => {
    const { bytes, samples } = bursts(60_000, 21);
    const { heads, events, rowsThatCame } = await streamed(bytes, { output });
    for (const head of [slow, quick]) {
      const own = heads.filter(({ name }) => name === head.name);
      assertRows(own, { head, signals: [samples] });
    }
    const given = heads.reduce((sum, { count }) => sum + count, 0);
    assert.ok(rowsThatCame > given, `the server repeated ${rowsThatCame - given} rows`);
    const expected = eventsOf(samples);
    assert.ok(expected.length >= 4, "the signal has events");
    assert.deepEqual(events.map(({ state, time }) => [state, time]), expected);
  });
}

Deno.test("CpcStream with split: rows and events of heads come once when cut", async () => {
  const signals = [bursts(60_000, 22).samples, bursts(60_000, 23).samples.toReversed()];
  const pcm = new Int16Array(2 * 60_000);
  signals.forEach((signal, c) => signal.forEach((x, i) => pcm[2 * i + c] = x * 32768));
  const { heads, events } = await streamed(new Uint8Array(pcm.buffer), {
    channels: 2,
    output: ["head.both", "head.slow"],
  });
  assertRows(heads.filter(({ name }) => name === "both"), { head: both, signals });
  for (const [channel, signal] of signals.entries()) {
    const own = heads.filter((one) => one.name === "slow" && one.channel === channel);
    assertRows(own, { head: slow, signals: [signal] });
    assert.deepEqual(
      events.filter((one) => one.channel === channel).map(({ state, time }) => [state, time]),
      eventsOf(signal),
    );
  }
});

Deno.test("CpcStream with split: a cut between the rows of two channels loses none", async () => {
  await withServer({ models }, async ({ url }) => {
    const { samples } = bursts(8_000, 25);
    const pcm = Int16Array.from({ length: 16_000 }, (_, i) => samples[i >> 1] * 32768);
    const options = { encoding: "s16le", channels: 2, split: true } as const;
    const stream = await connect(url, {
      ...options,
      output: ["head.slow"],
      WebSocket: BreakingSocket,
    });
    const heads: HeadMessage[] = [];
    stream.on("head", (message) => heads.push(message));
    await stream.send(pcm);
    await stream.mark();
    await stream.finish();
    assert.equal(BreakingSocket.breaks, 0);
    for (const channel of [0, 1]) {
      const own = heads.filter((one) => one.channel === channel);
      assertRows(own, { head: slow, signals: [samples] });
    }
  });
});

Deno.test("CpcStream: a reset counts rows from 0; an update swaps heads", async () => {
  await withServer({ models }, async ({ url }) => {
    const { bytes } = bursts(16_000, 24);
    const stream = await connect(url, { encoding: "s16le", output: ["head.quick"] });
    const heard: (readonly [name: string, first: number])[] = [];
    stream.on("head", ({ name, first }) => heard.push([name, first]));
    await stream.send(bytes);
    await stream.mark();
    await stream.reset();
    heard.length = 0;
    await stream.send(bytes);
    const { frames } = await stream.mark();
    assert.deepEqual(heard[0], ["quick", 0]);
    const { output } = await stream.update({ output: ["head.slow"] });
    assert.deepEqual(output, ["head.slow"]);
    heard.length = 0;
    await stream.send(bytes);
    await stream.finish();
    assert.deepEqual(heard[0], ["slow", Math.ceil(frames / slow.spec.every)]);
    assert.ok(heard.every(([name]) => name === "slow"));
  });
});
