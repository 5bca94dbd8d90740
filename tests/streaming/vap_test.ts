import assert from "node:assert/strict";
import { headSpecSchema } from "../../model/heads/spec.ts";
import { vapGraph } from "../../model/vap/graph.ts";
import { headJson } from "../../model/vap/head.ts";
import type { Weights } from "../../model/weights.ts";
import { maxDifference } from "../support/golden.ts";
import type { StreamClient } from "../support/stream_client.ts";
import { type StreamServer, withServer } from "../support/stream_server.ts";
import { chunksOf } from "../support/stream_truth.ts";
import { OUTPUTS, TOLERANCE, VAP_FIXTURES, type VapFixture, vapFixture } from "../support/vap.ts";

/** The fixture's CPC network with its projection, as `convert` writes them. */
function modelOf({ network, windowRows, weights }: VapFixture): Weights {
  const features = "0".repeat(64);
  const spec = headSpecSchema.parse(headJson(network.sizes, { windowRows, features }));
  const graph = vapGraph(network, { windowRows });
  return { ...weights, heads: [{ name: "vap", spec, graph, folder: "vap" }] };
}

/** What the stream is sent: f32le, its channels interleaved. */
function audioOf({ samples }: VapFixture): Uint8Array<ArrayBuffer> {
  const all = new Float32Array(samples.length * samples[0].length);
  samples.forEach((one, c) => one.forEach((x, i) => all[i * samples.length + c] = x));
  return new Uint8Array(all.buffer);
}

const optionsOf = ({ samples: { length } }: VapFixture) =>
  `output=head.vap&encoding=f32le${length === 2 ? "&channels=2&split=1" : ""}`;

/** Asserts that exactly the original's rows came, from one on; returns how many. */
function assertRows(
  client: StreamClient,
  { expected, samples }: VapFixture,
  { first = 0, rows }: { first?: number; rows: number },
): void {
  const heard = client.all("head").flatMap(({ name, first, rows }) => {
    assert.equal(name, "vap");
    return (rows as Record<string, number[]>[]).map((row, i) => ({
      index: (first as number) + i,
      row,
    }));
  });
  assert.deepEqual(heard.map(({ index }) => index), range(first, rows));
  const channels = samples.length;
  for (const { index, row } of heard) {
    for (const output of OUTPUTS) {
      const { data } = expected.get(output)!;
      const theirs = Array.from(data, Number).slice(index * channels, (index + 1) * channels);
      if (theirs.length === 0) continue; // after the recording's end, the silence of `finish`
      const difference = maxDifference(row[output], theirs);
      assert.ok(difference <= TOLERANCE, `row ${index}, ${output}: ${difference}`);
    }
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
/** Rows that are exact while more audio may follow. */
const rowsAt = ({ every }: VapFixture, samples: number) =>
  Math.floor((Math.floor((samples - 312) / 160) + 1) / every);

async function streamed(server: StreamServer, fixture: VapFixture, seed: number) {
  const client = server.connect(optionsOf(fixture));
  await client.next("ready");
  for (const chunk of chunksOf(audioOf(fixture), { longest: 20_000, seed })) client.send(chunk);
  await client.mark();
  return client;
}

for (const name of VAP_FIXTURES) {
  const fixture = vapFixture(name);
  const models = [modelOf(fixture)];
  const length = fixture.samples[0].length;
  const bytesPerSample = 4 * fixture.samples.length;

  Deno.test(`head.vap of ${name}: a stream in random chunks gives the original's rows, also after a reset`, async () => {
    await withServer({ models }, async (server) => {
      const client = await streamed(server, fixture, 3);
      assertRows(client, fixture, { rows: rowsAt(fixture, length) });
      client.send({ type: "reset" });
      await client.next("reset");
      client.came.length = 0;
      client.send(audioOf(fixture));
      await client.mark();
      assertRows(client, fixture, { rows: rowsAt(fixture, length) });
    });
  });

  Deno.test(`head.vap of ${name}: a stream that lost its connection goes on with the original's rows`, async () => {
    await withServer({ models }, async (server) => {
      const audio = audioOf(fixture);
      const cut = Math.floor(0.7 * length);
      const client = server.connect(optionsOf(fixture));
      const { resume } = await client.next("ready");
      client.send(audio.subarray(0, cut * bytesPerSample));
      await client.mark();
      const had = rowsAt(fixture, cut) - 3; // the client lost three rows more
      await client.terminate();
      const query = `${optionsOf(fixture)}&resume=${resume}&received=${had * fixture.every}`;
      const second = server.connect(query);
      const { samples } = await second.next("ready");
      second.send(audio.subarray((samples as number) * bytesPerSample));
      await second.mark();
      assertRows(second, fixture, { first: had, rows: rowsAt(fixture, length) });
    });
  });
}

Deno.test("head.vap: 8 dialogues of different ages at once each give the original's rows", async () => {
  const fixture = vapFixture("vap_20hz");
  const limits = { maxStreams: 16 }; // each channel counts as one
  await withServer({ models: [modelOf(fixture)], limits }, async (server) => {
    const clients = await Promise.all(
      Array.from({ length: 8 }, (_, seed) => streamed(server, fixture, seed + 20)),
    );
    for (const client of clients) {
      assertRows(client, fixture, { rows: rowsAt(fixture, fixture.samples[0].length) });
    }
  });
});

Deno.test("head.vap: live alignment gives the rows of audio that comes one hop late", async () => {
  const fixture = vapFixture("vap_mono_10hz");
  const model = modelOf(fixture);
  const delayed = { ...model, id: "live", config: { ...model.config, delay_samples: 160 } };
  await withServer({ models: [model, delayed] }, async (server) => {
    const audio = audioOf(fixture).subarray(0, 4 * 32_000);
    const rowsOf = async (query: string, audio: Uint8Array) => {
      const client = server.connect(`${optionsOf(fixture)}&${query}`);
      await client.next("ready");
      for (const chunk of chunksOf(audio, { longest: 9000, seed: 4 })) client.send(chunk);
      client.send({ type: "finish" });
      assert.equal(await client.closed(), 1000);
      return client.all("head").flatMap(({ rows }) => rows as Record<string, number[]>[]);
    };
    const late = new Uint8Array(4 * 160 + audio.length);
    late.set(audio, 4 * 160);
    const expected = await rowsOf(`model=${model.id}`, late);
    const heard = await rowsOf("model=live", audio);
    assert.equal(heard.length, expected.length);
    for (const [r, row] of heard.entries()) {
      for (const output of OUTPUTS) {
        assert.ok(maxDifference(row[output], expected[r][output]) <= TOLERANCE, `row ${r}`);
      }
    }
  });
});
