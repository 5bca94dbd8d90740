import assert from "node:assert/strict";
import { connect } from "../../../client/mod.ts";
import { OnnxHead } from "../../../model/engines/onnx_head.ts";
import { withHeads } from "../../../model/heads/load.ts";
import { loadWeights, modelDims } from "../../../model/weights.ts";
import { withServer } from "../../support/stream_server.ts";
import { noise } from "../../support/stream_truth.ts";

/** What `export.py` wrote with PyTorch 2.6, and what `golden.py` heard from it. */
const FOLDER = "tests/fixtures/heads/pytorch";
const MODEL = "weights/cpc-base";
const [EVERY, WIDTH] = [5, 256];

async function exported() {
  const given = [{ name: "mine", folder: FOLDER, anyFeatures: false }];
  const weights = await withHeads(await loadWeights(MODEL), { folder: MODEL, given });
  const file = weights.heads!.find(({ name }) => name === "mine")!;
  return { weights, head: await OnnxHead.create(file, { dims: modelDims(weights.config) }) };
}

Deno.test("docs/heads.md: the example in PyTorch is the script that made the fixture", async () => {
  const script = await Deno.readTextFile(`${FOLDER}/export.py`);
  const page = await Deno.readTextFile("docs/heads.md");
  assert.ok(page.includes(`\`\`\`python\n${script}\`\`\``));
});

Deno.test("docs/heads.md: the exported head keeps the rules and PyTorch's numbers", async () => {
  const { head } = await exported();
  const golden = JSON.parse(await Deno.readTextFile(`${FOLDER}/golden.json`));
  const states = [head.newState()];
  for (const [r, expected] of golden.rows.entries()) {
    const features = Float32Array.from(
      { length: EVERY * WIDTH },
      (_, i) => Math.sin(i + r * EVERY * WIDTH),
    );
    const [speech] = await head.step(features, states);
    assert.ok(Math.abs(speech - expected) <= 1e-5, `row ${r}: ${speech}, not ${expected}`);
  }
  for (const [i, x] of golden.state.entries()) assert.ok(Math.abs(states[0][0][i] - x) <= 1e-5);
  await head.dispose();
});

Deno.test("docs/heads.md: a server streams the exported head, the client reads it", async () => {
  const { weights, head } = await exported();
  const contexts: Float32Array[] = [];
  const heard: number[] = [];
  await withServer({ models: [weights] }, async ({ url }) => {
    const output = ["head.mine", "context"] as const;
    const stream = await connect(url, { output: [...output], encoding: "s16le" });
    stream.on("head", ({ name, rows }) => {
      assert.equal(name, "mine");
      heard.push(...rows.map(({ speech }) => (speech as number[])[0]));
    });
    const reading = (async () => {
      for await (const { context } of stream) contexts.push(...context ?? []);
    })();
    void stream.send(noise(16_000, 1).bytes);
    await stream.finish();
    await reading;
  });
  assert.equal(heard.length, Math.floor(contexts.length / EVERY));
  assert.ok(heard.length >= 19);
  const states = [head.newState()];
  for (const [r, speech] of heard.entries()) {
    const features = new Float32Array(EVERY * WIDTH);
    for (let f = 0; f < EVERY; f++) features.set(contexts[r * EVERY + f], f * WIDTH);
    const [expected] = await head.step(features, states);
    assert.ok(Math.abs(speech - expected) <= 1e-4, `row ${r}`);
  }
  await head.dispose();
});
