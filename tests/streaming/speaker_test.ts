import assert from "node:assert/strict";
import { speakerHead } from "../../model/heads/speaker.ts";
import { cosine } from "../../model/speaker.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { open, sharing, storeKinds } from "../support/stores.ts";
import type { StreamClient } from "../support/stream_client.ts";
import { type StreamServer, WIDTHS, withServer } from "../support/stream_server.ts";
import { chunksOf, noise, truthOf } from "../support/stream_truth.ts";

const { C } = WIDTHS;
const EVERY = 10;
const lively = randomWeights({ ...tinyConfig, input_scale: 100 }, 9, "lively");
const head = speakerHead({ context: C, frameRate: 100, threshold: 0.5 });
const models = [{ ...lively, heads: [head] }];
const voice = [0.5, -0.25, 0.125, 1, -2, 0.75];
const other = voice.map((x) => -3 * x);

interface Row {
  readonly similarity: number;
  readonly recent: number;
}

/** What the head must say of a signal, row by row. */
function rowsOf(samples: Float32Array, enrolled: (row: number) => number[] = () => voice): Row[] {
  const contexts = truthOf(samples, lively).map(({ context }) => context);
  const [sum, recent] = [Array<number>(C).fill(0), Array<number>(C).fill(0)];
  const kept = Math.exp(-0.1 / 2.5);
  return Array.from({ length: Math.floor(contexts.length / EVERY) }, (_, r) => {
    for (let i = 0; i < C; i++) {
      let heard = 0;
      for (let f = r * EVERY; f < (r + 1) * EVERY; f++) heard += contexts[f][i];
      sum[i] += heard;
      recent[i] = kept * recent[i] + heard;
    }
    return { similarity: cosine(sum, enrolled(r)), recent: cosine(recent, enrolled(r)) };
  });
}

function heardRows(client: Pick<StreamClient, "all">): Row[] {
  return client.all("head").flatMap(({ name, rows }) => {
    assert.equal(name, "speaker");
    return (rows as { similarity: number[]; recent: number[] }[]).map(
      ({ similarity, recent }) => ({ similarity: similarity[0], recent: recent[0] }),
    );
  });
}

function assertRows(heard: readonly Row[], rows: readonly Row[]): void {
  assert.equal(heard.length, rows.length);
  for (const [r, { similarity, recent }] of heard.entries()) {
    assert.ok(Math.abs(similarity - rows[r].similarity) <= 1e-4, `row ${r}`);
    assert.ok(Math.abs(recent - rows[r].recent) <= 1e-4, `row ${r}`);
  }
}

Deno.test("head.speaker gives cosines of all and recent contexts with the voice", async () => {
  await withServer({ models }, async (server) => {
    const { bytes, samples } = noise(48_000, 1);
    const client = server.connect("output=head.speaker");
    assert.equal("voice" in await client.next("ready"), false);
    client.send({ type: "update", voice });
    const updated = await client.next("updated");
    assert.deepEqual(updated, {
      type: "updated",
      output: ["head.speaker"],
      steps: [1, 2, 3],
      every: 1,
      voice: true,
    });
    for (const chunk of chunksOf(bytes, { longest: 3_000, seed: 1 })) client.send(chunk);
    client.send({ type: "finish" });
    assert.equal(await client.closed(), 1000);
    const rows = rowsOf(samples);
    assert.ok(rows.some(({ similarity, recent }) => Math.abs(similarity - recent) > 1e-3));
    assertRows(heardRows(client), rows);
  });
});

Deno.test("head.speaker: another voice counts from the next row, until a reset", async () => {
  await withServer({ models }, async (server) => {
    const { bytes, samples } = noise(32_000, 2);
    const client = server.connect("output=context");
    await client.next("ready");
    client.send({ type: "update", output: ["head.speaker"], voice });
    const half = 2 * (105 * 160 + 312); // frames 0 … 105
    client.send(bytes.subarray(0, half));
    client.send({ type: "update", voice: other });
    client.send(bytes.subarray(half));
    await client.mark();
    const rows = rowsOf(samples, (row) => row < 10 ? voice : other);
    const complete = Math.floor((Math.floor((samples.length - 312) / 160) + 1) / EVERY);
    assertRows(heardRows(client), rows.slice(0, complete));
    const before = heardRows(client).length;
    client.send({ type: "reset" });
    client.send(bytes);
    await client.mark();
    const anew = rowsOf(samples, () => other).slice(0, complete);
    assertRows(heardRows(client).slice(before), anew);
  });
});

Deno.test("head.speaker: a resume keeps the voice, in this process or another", async () => {
  const { bytes, samples } = noise(80_000, 3); // beyond a checkpoint
  const rows = rowsOf(samples);
  const begin = async (server: StreamServer) => {
    const client = server.connect("output=head.speaker");
    const { resume } = await client.next("ready");
    client.send({ type: "update", voice });
    client.send(bytes.subarray(0, 2 * 60_000));
    await client.mark();
    await client.terminate();
    return `resume=${resume}&received=320`;
  };
  const goOn = async (server: StreamServer, query: string) => {
    const client = server.connect(query);
    const ready = await client.next("ready");
    assert.equal(ready.voice, true);
    client.send(bytes.subarray(2 * (ready.samples as number)));
    client.send({ type: "finish" });
    assert.equal(await client.closed(), 1000);
    assertRows(heardRows(client), rows.slice(32));
  };
  await withServer({ models }, async (server) => await goOn(server, await begin(server)));
  const [sqlite] = storeKinds();
  await sqlite.with(async (place) => {
    const [one, two] = [await open(place), await open(place)];
    await withServer({ models, store: sharing(one) }, async (first) => {
      const query = await begin(first);
      await withServer({ models, store: sharing(two) }, (second) => goOn(second, query));
    });
  });
});

Deno.test("head.speaker: audio without a voice ends the stream with 4400", async () => {
  await withServer({ models }, async (server) => {
    const { bytes } = noise(1_600, 4);
    const cases = [
      [bytes, /there is none: send \{"type":"update","voice":\[…\]\} before audio/],
      [{ type: "update", voice: voice.slice(1) }, /takes the 6 numbers of .*lively, got 5/],
      [{ type: "update", voice: voice.map(() => 0) }, /zeros alone/],
      [{ type: "update", voice: Array(20_000).fill(1) }, /voice may have up to 16384 members/],
      [{ type: "update", voice: ["1"] }, /voice/],
    ] as const;
    for (const [message, words] of cases) {
      const client = server.connect("output=head.speaker");
      await client.next("ready");
      client.send(message);
      assert.match((await client.next("error")).message as string, words);
      assert.equal(await client.closed(), 4400);
    }
  });
});
