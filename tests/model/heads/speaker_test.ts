import assert from "node:assert/strict";
import { OnnxHead } from "../../../model/engines/onnx_head.ts";
import { checkGraph } from "../../../model/heads/check.ts";
import { withHeads } from "../../../model/heads/load.ts";
import { speakerHead } from "../../../model/heads/speaker.ts";
import { loadWeights } from "../../../model/weights.ts";

Deno.test("speakerHead() keeps the rules of heads, and passes their trial", async () => {
  const dims = { context: 6, latent: 8, steps: 0 };
  const file = speakerHead({ context: 6, frameRate: 100, threshold: 0.5 });
  checkGraph(file.graph, { spec: file.spec, dims, file: "speaker" });
  const head = await OnnxHead.create(file, { dims });
  await head.dispose();
  assert.deepEqual(file.spec.events.map(({ event, on, off }) => [event, on, off]), [
    ["speaker", 0.5, 0.5],
  ]);
  assert.deepEqual(speakerHead({ context: 6, frameRate: 100 }).spec.events, []);
});

Deno.test("withHeads() adds the head speaker with the folder's own threshold", async () => {
  const shipped = "weights/cpc-small";
  const weights = await withHeads(await loadWeights(shipped), { folder: shipped });
  assert.deepEqual(weights.heads?.map(({ name }) => name), ["speaker", "speech"]);
  const [event] = weights.heads![0].spec.events;
  assert.equal(event.on, weights.speaker?.threshold);
  assert.ok(
    weights.speaker!.calibration.some(({ seconds }) => seconds === weights.speaker!.seconds),
  );

  const folder = await Deno.makeTempDir();
  try {
    for (const file of ["config.json", "model.safetensors"]) {
      await Deno.copyFile(`${shipped}/${file}`, `${folder}/${file}`);
    }
    const load = async () => await withHeads(await loadWeights(folder), { folder });
    const plain = await load();
    assert.equal(plain.speaker, undefined);
    assert.deepEqual(plain.heads?.map(({ spec }) => spec.events), [[]]);
    const calibration = { ...weights.speaker, features: "f".repeat(64) };
    await Deno.writeTextFile(`${folder}/speaker.json`, JSON.stringify(calibration));
    await assert.rejects(load(), {
      code: "weights_invalid",
      message: /speaker\.json was calibrated on other features/,
    });
    await Deno.writeTextFile(`${folder}/speaker.json`, JSON.stringify({ threshold: 2 }));
    await assert.rejects(load(), { code: "weights_invalid", message: /speaker\.json is no calib/ });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
