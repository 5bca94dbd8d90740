import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { loadTfjs, NATIVE_FOLDER, NATIVE_STAMP, TFJS_VERSION } from "../../../model/tfjs/backend.ts";

async function isBuilt(folder: "cpu" | "gpu"): Promise<boolean> {
  try {
    await Deno.stat(new URL(`${folder}/${NATIVE_STAMP}`, NATIVE_FOLDER));
    return true;
  } catch {
    return false;
  }
}

Deno.test("loadTfjs() of auto takes the first backend that works and gives a reason for each before it", async () => {
  const { tf, backend, tried, versions } = await loadTfjs();
  assert.equal(versions.tfjs, TFJS_VERSION);
  assert.equal(tf.tidy(() => tf.sum(tf.ones([3])).dataSync()[0]), 3);
  const reasons = new Map(tried.map(({ name, why }) => [name, why]));
  if (!await isBuilt("gpu")) assert.match(reasons.get("tfjs-node-gpu") ?? "", /NVIDIA|not installed.*setup:tfjs --gpu/);
  if (backend === "wasm") assert.match(reasons.get("tfjs-node") ?? "", /not installed.*setup:tfjs/);
});

Deno.test("loadTfjs() of gpu insists on a card, and says why there is none", async () => {
  if (await isBuilt("gpu")) return; // its own machine's business: see docs/gpu.md
  const refused = (error: unknown) =>
    error instanceof CpcError && error.code === "invalid_option" && /tfjs-node-gpu/.test(error.message);
  await assert.rejects(loadTfjs({ device: "gpu" }), refused);
  await assert.rejects(loadTfjs({ device: "cuda" }), refused);
});
