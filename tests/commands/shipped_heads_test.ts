import assert from "node:assert/strict";
import { ModelExtractor } from "../../commands/eval/extractor.ts";
import { decodeStream } from "../../audio/decode_stream.ts";
import { withHeads } from "../../model/heads/load.ts";
import { loadWeights } from "../../model/weights.ts";
import { HeadHearing } from "../../training/heads/hearing.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PAUSE = 16_000;

/** A second of faint noise, somebody who speaks, another second. */
async function recording(name: string): Promise<Float32Array<ArrayBuffer>> {
  const file = await Deno.readFile(`${ROOT}tests/fixtures/speech/${name}`);
  async function* once() {
    yield await Promise.resolve(file);
  }
  const said: number[] = [];
  for await (const chunk of decodeStream(once(), {})) said.push(...chunk);
  const samples = new Float32Array(2 * PAUSE + said.length);
  samples.set(said, PAUSE);
  return samples.map((x, i) => x + 1e-4 * Math.sin(i * i));
}

for (const id of ["cpc-base", "cpc-small"]) {
  Deno.test(`the shipped head speech of ${id} fits its model and hears new people`, async () => {
    const folder = `${ROOT}weights/${id}`;
    const weights = await withHeads(await loadWeights(folder), { folder });
    const { spec, graph } = weights.heads!.find(({ name }) => name === "speech")!;
    assert.deepEqual(spec.outputs, [{ name: "speech", shape: [1], labels: ["speech"] }]);
    assert.deepEqual(spec.events.map(({ event }) => event), ["speech"]);
    assert.ok(graph.length < 200_000, `${graph.length} bytes`);
    const model = await ModelExtractor.start(weights, {
      models: [folder],
      engine: "onnx",
      device: "cpu",
      precision: "fp32",
      workers: 1,
    });
    const head = await HeadHearing.create(graph, spec);
    try {
      for (const name of ["russian.wav", "italian_short.wav"]) {
        const [context] = await model.embed(await recording(name));
        const [p] = await head.hear([context.data], context.width);
        const mean = (from: number, to: number) =>
          p.slice(from, to).reduce((sum, x) => sum + x, 0) / (to - from);
        const [before, during, after] = [
          mean(10, 95),
          mean(110, p.length - 120),
          mean(p.length - 40, p.length),
        ];
        assert.ok(before < 0.2 && after < 0.2 && during > 0.6, `${before} ${during} ${after}`);
      }
    } finally {
      await head.dispose();
      await model.close();
    }
  });
}
