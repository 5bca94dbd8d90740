import assert from "node:assert/strict";
import { CpcError } from "../../../errors.ts";
import { PRECISIONS } from "../../../model/engine.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { engineConformance } from "./conformance.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { loadWeights } from "../../../model/weights.ts";
import { maxDifference } from "../../support/golden.ts";
import { random } from "../../support/stream.ts";

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

Deno.test("OnnxEngine.complete() brings the graph of large steps later", async () => {
  const weights = await loadWeights("weights/cpc-small");
  const options = { device: "cpu", precision: "fp32", threads: 1 } as const;
  const whole = await createEngine("onnx", weights, options);
  const quick = await createEngine("onnx", weights, { ...options, startQuickly: true });
  const { plan, stateFloats } = whole.layout;
  const streams = 16;
  const next = random(7);
  const input = {
    streams,
    hops: 1,
    samples: Float32Array.from({ length: streams * plan.hopSamples }, () => next() - 0.5),
    state: new Float32Array(streams * stateFloats),
    masks: plan.convs.map((conv) => new Float32Array(streams * conv.rowsPerHop).fill(1)),
  };
  const latents = async (engine: typeof whole) => (await engine.step(input)).latent.slice();
  const [expected, before] = [await latents(whole), await latents(quick)];
  await quick.complete?.();
  const after = await latents(quick);
  assert.notDeepEqual(before, expected); // by the other graph
  assert.ok(maxDifference(before, expected) < 1e-5);
  assert.deepEqual(after, expected);
  await Promise.all([whole.dispose(), quick.dispose()]);
});

Deno.test("OnnxEngine.step() for latents alone gives zeros for the rest", async () => {
  const lstm = { type: "lstm", hidden: 6, layers: 2, output_layer: 1 } as const;
  const models = [
    await loadWeights("weights/cpc-small"),
    randomWeights({ ...tinyConfig, context: lstm }, 5),
  ];
  for (const weights of models) {
    for (const precision of PRECISIONS) {
      const engine = await createEngine("onnx", weights, { device: "cpu", precision, threads: 1 });
      const { plan, stateFloats, contextFloats } = engine.layout;
      const tails = stateFloats - contextFloats;
      for (const [streams, hops] of [[1, 1], [3, 4]] as const) {
        const next = random(8);
        const noise = (length: number) => Float32Array.from({ length }, () => next() - 0.5);
        const input = {
          streams,
          hops,
          samples: noise(streams * hops * plan.hopSamples),
          state: noise(streams * stateFloats),
          masks: plan.convs.map(({ rowsPerHop }) =>
            new Float32Array(streams * hops * rowsPerHop).fill(1)
          ),
        };
        const whole = structuredClone(await engine.step(input));
        const { latent, context, state } = await engine.step({ ...input, latentOnly: true });
        assert.deepEqual(latent, whole.latent);
        assert.ok(whole.context.some((x) => x !== 0) && context.every((x) => x === 0));
        for (let b = 0; b < streams; b++) {
          const [own, all] = [state, whole.state].map((one) =>
            one.subarray(b * stateFloats, (b + 1) * stateFloats)
          );
          assert.deepEqual(own!.subarray(0, tails), all!.subarray(0, tails));
          assert.ok(own!.subarray(tails).every((x) => x === 0));
        }
        assert.deepEqual((await engine.step(input)).context, whole.context); // it comes back
      }
      await engine.dispose();
    }
  }
});
