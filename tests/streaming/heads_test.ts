import assert from "node:assert/strict";
import { EventFollower } from "../../model/heads/events.ts";
import { maxDifference } from "../support/golden.ts";
import { fadingHead, type FadingRow, fadingRows } from "../support/heads.ts";
import { open, sharing, storeKinds } from "../support/stores.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { heardFrames, type StreamClient, type Told } from "../support/stream_client.ts";
import { tiny, WIDTHS, withServer } from "../support/stream_server.ts";
import { assertFrames, bursts, chunksOf, noise, truthOf } from "../support/stream_truth.ts";

const { C, Z } = WIDTHS;
const EVERY = 3;
const EVENT = {
  event: "noise",
  output: "level",
  index: 3,
  on: -6,
  off: -7,
  min_on_s: 0.06,
  min_off_s: 0.06,
};
const fading = fadingHead({ every: EVERY, dims: C, spec: { events: [EVENT] } });
/** Of latents, a row for each frame. */
const latents = fadingHead({ name: "latents", input: "latent", every: 1, dims: Z, keep: 0.5 });
const stereo = fadingHead({ name: "stereo", channels: 2, every: 1, dims: C });
/** It hears loudness, which the tiny model hardly does. */
const lively = randomWeights({ ...tinyConfig, input_scale: 100 }, 9, "lively");
const models = [{ ...lively, heads: [fading, latents, stereo] }];

interface HeardRow extends FadingRow {
  readonly index: number;
}

/** Rows of a head as they came, in order. */
function heardRows(client: Pick<StreamClient, "all">, head = "fading"): HeardRow[] {
  return client.all("head").filter(({ name }) => name === head).flatMap(
    ({ first, count, rows }) => {
      const list = rows as { level: number[][]; loud: number[] }[];
      assert.equal(list.length, count);
      return list.map(({ level, loud }, i) => ({
        index: (first as number) + i,
        level: level.flat(),
        loud: loud[0],
      }));
    },
  );
}

/** The rows that a signal must give, and its events as told. */
function rowsOf(samples: Float32Array): { rows: FadingRow[]; events: Told[] } {
  const context = truthOf(samples, lively).flatMap(({ context }) => context);
  const rows = fadingRows([context], { every: EVERY, dims: C });
  const follower = new EventFollower(fading.spec, { hopSamples: 160 });
  const events = rows.flatMap(({ level, loud }, r) =>
    follower.hear(r, Float32Array.of(...level, loud))
  );
  events.push(...follower.finish(rows.length - 1));
  return {
    rows,
    events: events.map(({ event, state, row }) => ({
      type: "event",
      head: "fading",
      event,
      state,
      time: Number(((row + 1) * EVERY / 100).toFixed(6)),
    })),
  };
}

function assertRows(heard: readonly HeardRow[], rows: readonly FadingRow[], first = 0): void {
  assert.deepEqual(
    heard.map(({ index }) => index),
    rows.map((_, r) => r).slice(first),
  );
  for (const { index, level, loud } of heard) {
    assert.ok(maxDifference(level, rows[index].level as number[]) <= 1e-3);
    assert.ok(Math.abs(loud - rows[index].loud) <= 1e-3);
  }
}

Deno.test("heads: rows and events are the whole signal's, in any chunks", async () => {
  await withServer({ models }, async (server) => {
    const { bytes, samples } = bursts(40_000, 5);
    const { rows, events } = rowsOf(samples);
    assert.ok(events.length >= 4, "the signal has events");
    assert.notEqual(truthOf(samples, lively).length % EVERY, 0, "the last row is incomplete");
    const client = server.connect("output=head.fading,context");
    assert.deepEqual((await client.next("ready")).output, ["context", "head.fading"]);
    for (const chunk of chunksOf(bytes, { longest: 3_000, seed: 1 })) client.send(chunk);
    client.send({ type: "finish" });
    await client.closed();
    assertRows(heardRows(client), rows);
    assert.deepEqual(client.all("event"), events);
    assertFrames(heardFrames(client.came, WIDTHS), truthOf(samples, lively), {
      output: ["context"],
    });
    for (const { first, time } of client.all("head")) {
      assert.equal(time, Number((((first as number) + 1) * EVERY / 100).toFixed(6)));
    }
    assertOrder(client);
  });
});

/** A row comes before every frame after its last one. */
function assertOrder(client: StreamClient): void {
  let frames = 0;
  for (const one of client.came) {
    if (one instanceof Uint8Array) continue;
    if (one.type === "frames") frames = (one.first as number) + (one.count as number);
    if (one.type !== "head") continue;
    assert.ok(frames <= ((one.first as number) + 1) * EVERY, `row ${one.first} after ${frames}`);
  }
}

Deno.test("heads: alone, together, beside binary; a mark comes after all rows", async () => {
  await withServer({ models }, async (server) => {
    const { bytes, samples } = bursts(16_000, 6);
    const client = server.connect("output=head.latents,head.fading&format=binary&every=7");
    await client.next("ready");
    client.send(bytes);
    const { frames } = await client.mark();
    assert.equal(frames, Math.floor((samples.length - 312) / 160) + 1);
    assert.equal(client.came.filter((one) => one instanceof Uint8Array).length, 0);
    assert.equal(heardRows(client).length, Math.floor((frames as number) / EVERY));
    const latent = truthOf(samples, lively).flatMap(({ latent }) => latent);
    const rows = fadingRows([latent], { every: 1, dims: Z, keep: 0.5 });
    assertRows(heardRows(client, "latents"), rows.slice(0, frames as number));
  });
});

Deno.test("heads: after a lost connection, rows go on from ⌊received/every⌋", async () => {
  await withServer({ models }, async (server) => {
    const { bytes, samples } = bursts(70_000, 7); // beyond some checkpoints
    const { rows, events } = rowsOf(samples);
    for (const received of [0, 302, 303, 360]) {
      const client = server.connect("output=head.fading");
      const { resume } = await client.next("ready");
      client.send(bytes.subarray(0, 2 * 60_000));
      await client.mark();
      await client.terminate();
      const second = server.connect(`resume=${resume}&received=${received}`);
      const { samples: heard } = await second.next("ready");
      second.send(bytes.subarray(2 * (heard as number)));
      second.send({ type: "finish" });
      assert.equal(await second.closed(), 1000);
      const first = Math.floor(received / EVERY);
      assertRows(heardRows(second), rows, first);
      // those decided earlier were told before
      const known = events.slice(-second.all("event").length);
      assert.deepEqual(second.all("event"), known);
      const decided = client.all("event").length + second.all("event").length;
      assert.ok(decided >= events.length, "none is lost");
    }
  });
});

Deno.test("heads: a reset begins them anew; an update adds and drops them", async () => {
  await withServer({ models }, async (server) => {
    const { bytes, samples } = bursts(16_000, 8);
    const client = server.connect("output=head.fading");
    await client.next("ready");
    client.send(bytes.subarray(0, 10_000));
    client.send({ type: "reset" });
    await client.next("reset");
    client.came.length = 0;
    client.send(bytes);
    await client.mark();
    assertRows(heardRows(client), rowsOf(samples).rows.slice(0, 33));
    client.send({ type: "update", output: ["context"] });
    await client.next("updated");
    client.came.length = 0;
    client.send(bytes);
    const { frames } = await client.mark();
    assert.equal(heardRows(client).length, 0);
    client.send({ type: "update", output: ["context", "head.fading"] });
    assert.deepEqual((await client.next("updated", 0)).output, ["context", "head.fading"]);
    client.send(bytes);
    client.send({ type: "finish" });
    await client.closed();
    const from = Math.ceil((frames as number) / EVERY);
    const twice = Float32Array.from([...samples, ...samples, ...samples]);
    const context = truthOf(twice, lively).slice(from * EVERY).flatMap(({ context }) => context);
    const later = fadingRows([context], { every: EVERY, dims: C });
    assertRows(heardRows(client).map((row) => ({ ...row, index: row.index - from })), later);
  });
});

Deno.test("heads: an unknown one, and one of two channels on a mono stream, are 4400", async () => {
  await withServer({ models }, async (server) => {
    for (
      const [query, words] of [
        ["output=head.none", /no head "none"; it has head\.fading, head\.latents, head\.stereo/],
        ["output=head.stereo", /hears 2 channels: open the stream with channels=2 and split=1/],
        ["output=head.", /takes context, latent, prediction, score and head\.NAME/],
      ] as const
    ) {
      const client = server.connect(query);
      assert.equal(await client.closed(), 4400);
      assert.match(String(client.all("error")[0].message), words);
    }
    const client = server.connect("output=head.fading");
    await client.next("ready");
    client.send({ type: "update", output: ["head.none"] });
    assert.equal(await client.closed(), 4400);
  });
});

Deno.test("heads: on a split stream they hear both, or each; over a resume too", async () => {
  await withServer({ models }, async (server) => {
    const signals = [bursts(50_000, 11).samples, bursts(50_000, 12).samples.toReversed()];
    const pcm = new Int16Array(2 * 50_000);
    signals.forEach((signal, c) => signal.forEach((x, i) => pcm[2 * i + c] = x * 32768));
    const bytes = new Uint8Array(pcm.buffer);
    const truths = signals.map((signal) => truthOf(signal, lively));
    const context = truths.map((truth) => truth.flatMap(({ context }) => context));
    const turns = fadingRows(context, { every: 1, dims: C });
    const client = server.connect("channels=2&split=1&output=head.stereo,head.fading");
    const { resume } = await client.next("ready");
    client.send(bytes.subarray(0, 4 * 40_000));
    await client.mark();
    const had = heardRows(client, "stereo").length;
    assertRows(heardRows(client, "stereo"), turns.slice(0, had));
    await client.terminate();
    const next = server.connect(`resume=${resume}&received=${had}`);
    const { samples: heard } = await next.next("ready");
    next.send(bytes.subarray(4 * (heard as number)));
    next.send({ type: "finish" });
    assert.equal(await next.closed(), 1000);
    assertRows(heardRows(next, "stereo"), turns, had);
    for (const channel of [0, 1]) {
      const rows = fadingRows([context[channel]], { every: EVERY, dims: C });
      const own = [...client.came, ...next.came].filter((one): one is Told =>
        !(one instanceof Uint8Array) && (one.type !== "head" || one.channel === channel)
      );
      const told = { all: (type: string) => own.filter((one) => one.type === type) };
      assertRows(heardRows(told, "fading"), rows);
    }
  });
});

Deno.test("heads: one that is not finite ends its stream, and no neighbour", async () => {
  const weak = fadingHead({
    name: "weak",
    input: "latent",
    every: 1,
    dims: Z,
    // finite for features of the trial, between -1 and 1
    alter: (graph, { level }) =>
      graph.node("Sqrt", [graph.node("Sub", [graph.constant(Float32Array.of(8), [1]), level])]),
  });
  const weights = [{ ...tiny, heads: [weak] }];
  await withServer({ models: weights }, async (server) => {
    const { bytes, samples } = noise(16_000, 9);
    const neighbour = server.connect();
    await neighbour.next("ready");
    neighbour.send(bytes.subarray(0, 16_000));
    const client = server.connect("output=head.weak&encoding=f32le");
    await client.next("ready");
    client.send(new Uint8Array(samples.map((x) => 1000 * x).buffer));
    assert.equal(await client.closed(), 4500);
    assert.match(String(client.all("error")[0].message), /the head weak failed on this stream/);
    neighbour.send(bytes.subarray(16_000));
    neighbour.send({ type: "finish" });
    assert.equal(await neighbour.closed(), 1000);
    assertFrames(heardFrames(neighbour.came, WIDTHS), truthOf(samples), { output: ["context"] });
    assert.equal(server.pool.alive, 1);
    assert.deepEqual(server.errors, ["model_failed"]);
  });
});

Deno.test("heads: only a server of the same heads continues a stored stream", async () => {
  const [sqlite] = storeKinds();
  await sqlite.with(async (place) => {
    const [one, two, three] = [await open(place), await open(place), await open(place)];
    const { bytes, samples } = bursts(70_000, 10);
    const { rows } = rowsOf(samples);
    await withServer({ models, store: sharing(one) }, async (first) => {
      const client = first.connect("output=head.fading");
      const { resume } = await client.next("ready");
      client.send(bytes.subarray(0, 2 * 60_000));
      await client.mark();
      const had = heardRows(client).length;
      await client.terminate();
      const query = `resume=${resume}&received=${had * EVERY}`;
      await withServer({ models: [lively], store: sharing(three) }, async (third) => {
        assert.equal(await third.connect(query).closed(), 4404);
      });
      await withServer({ models, store: sharing(two) }, async (second) => {
        const next = second.connect(query);
        const { samples: heard } = await next.next("ready");
        next.send(bytes.subarray(2 * (heard as number)));
        next.send({ type: "finish" });
        assert.equal(await next.closed(), 1000);
        assertRows(heardRows(next), rows, had);
      });
    });
  });
});
