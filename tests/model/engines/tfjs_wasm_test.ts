import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { engineConformance } from "./conformance.ts";
import { keepsNoTensor } from "./tfjs_memory.ts";
import { createEngine } from "../../../model/engines/create.ts";

engineConformance({ kind: "tfjs", device: "wasm", tolerance: 1e-4, runs: 40 });

Deno.test("TfjsEngine.create() refuses devices and precisions by name", async () => {
  const weights = randomWeights(tinyConfig);
  const create = (device: string, precision: "fp32" | "int8") =>
    createEngine("tfjs", weights, { device, precision, threads: 1 });
  await assert.rejects(
    create("abacus", "fp32"),
    (error) => error instanceof CpcError && /abacus.*wasm/.test(error.message),
  );
  await assert.rejects(
    create("wasm", "int8"),
    (error) => error instanceof CpcError && /int8/.test(error.message),
  );
});

keepsNoTensor("wasm");
