import assert from "node:assert/strict";
import { maxDifference } from "../support/golden.ts";
import { type StreamServer, withServer } from "../support/stream_server.ts";
import { chunksOf } from "../support/stream_truth.ts";
import { OUTPUTS, TOLERANCE, VAP_FIXTURES, type VapFixture, vapFixture } from "../support/vap.ts";
import { assertRows, audioOf, modelOf, optionsOf, rowsAt } from "../support/vap_streams.ts";

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

  Deno.test(`head.vap of ${name}: random chunks give the original's rows`, async () => {
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

  Deno.test(`head.vap of ${name}: a lost stream goes on with the original's rows`, async () => {
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

Deno.test("head.vap: 8 dialogues at once each give the original's rows", async () => {
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
