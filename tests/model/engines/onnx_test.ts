import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { engineConformance } from "./conformance.ts";
import { createEngine } from "../../../model/engines/create.ts";

engineConformance({ kind: "onnx", device: "cpu", tolerance: 1e-4, runs: 60 });

Deno.test("OnnxEngine.create() refuses devices that it does not have, by name", async () => {
  const weights = randomWeights(tinyConfig);
  const create = (device: string) =>
    createEngine("onnx", weights, { device, precision: "fp32", threads: 1 });
  await assert.rejects(
    create("abacus"),
    (error) => error instanceof CpcError && /abacus.*cpu/.test(error.message),
  );
});
