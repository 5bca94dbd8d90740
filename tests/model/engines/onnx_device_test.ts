import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import {
  ONNXRUNTIME_VERSION,
  providersOf,
  whyFailed,
} from "../../../model/engines/onnx_runtime.ts";
import { nvidiaDriver } from "../../../model/nvidia.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { createEngine } from "../../../model/engines/create.ts";

const ROOT = new URL("../../../", import.meta.url);

function throws(task: () => unknown): boolean {
  try {
    task();
    return false;
  } catch {
    return true;
  }
}

Deno.test("ONNXRUNTIME_VERSION is deno.json's, so that the CUDA provider fits", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  assert.equal(imports["onnxruntime-node"], `npm:onnxruntime-node@${ONNXRUNTIME_VERSION}`);
});

Deno.test("OnnxEngine.create() with auto says what it took, and why no other", async () => {
  const engine = await createEngine("onnx", randomWeights(tinyConfig), {
    device: "auto",
    precision: "fp32",
    threads: 1,
  });
  const { library, notTaken } = engine.backend;
  assert.equal(library, `onnxruntime-node ${ONNXRUNTIME_VERSION}`);
  const reasons = new Map(notTaken.map(({ name, why }) => [name, why]));
  assert.match(reasons.get("webgpu") ?? "", /--device webgpu/);
  if (throws(nvidiaDriver)) {
    assert.equal(engine.device, "cpu");
    assert.match(reasons.get("cuda") ?? "", /no NVIDIA driver|no card/);
  }
  await engine.dispose();
});

Deno.test("OnnxEngine.create() with cuda names what is missing, and the set-up", async () => {
  const weights = randomWeights(tinyConfig);
  const create = createEngine("onnx", weights, { device: "cuda", precision: "fp32", threads: 1 });
  const engine = await create.catch((error) => error);
  if (!(engine instanceof Error)) {
    assert.equal(engine.device, "cuda"); // a machine with all of it
    await engine.dispose();
    return;
  }
  assert.ok(engine instanceof CpcError && engine.code === "invalid_option", String(engine));
  assert.match(
    engine.message,
    /^--device cuda: .*(NVIDIA driver|no card|deno task setup:onnx-cuda|CUDA failure)/,
  );
  assert.doesNotMatch(engine.message, /\n/);
});

Deno.test("providersOf() of auto tries cuda before cpu, and takes webgpu only by name", () => {
  assert.deepEqual(providersOf("auto").providers, ["cuda", "cpu"]);
  assert.deepEqual(providersOf("webgpu"), { providers: ["webgpu"], passedOver: [] });
});

Deno.test("whyFailed() is one line for people", () => {
  const cuda =
    "/onnxruntime_src/a.cc:154 CudaCall(…) CUDA failure 100: no CUDA-capable device is detected ; GPU=0 ; hostname=x\n\n";
  assert.equal(
    whyFailed("cuda", new Error(cuda)),
    "CUDA failure 100: no CUDA-capable device is detected",
  );
  assert.equal(whyFailed("cuda", new Error("first\nsecond")), "first");
});
