import assert from "node:assert/strict";
import { CpcError } from "../../errors.ts";
import type { ContextConfig } from "../../model/architecture.ts";
import type { Floats } from "../../model/floats.ts";
import { meanFigures, totalOf } from "../../model/objective.ts";
import { framesOf, objective, originalForward } from "../../model/reference_objective.ts";
import { reversedModel } from "../../model/reverse.ts";
import { seeded } from "../../model/seeded.ts";
import { modelDims, tensorOf, type Weights } from "../../model/weights.ts";
import { caseWeights, maxDifference, readGolden } from "../support/golden.ts";
import { caseFeatures, OBJECTIVE_CASES, scale } from "../support/golden_objective.ts";

/** w `[out, in]` · x `[in]` + b `[out]` */
function affine(w: Float32Array, b: Float32Array | undefined, x: Floats): Float64Array {
  const out = new Float64Array(w.length / x.length);
  for (let o = 0, at = 0; o < out.length; o++) {
    let sum = b?.[o] ?? 0;
    for (let i = 0; i < x.length; i++) sum += w[at++] * x[i];
    out[o] = sum;
  }
  return out;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

interface State {
  /** `[L, N, H]` */
  readonly h: Float64Array;
  readonly cell: Float64Array;
}

/** The context network of a batch from a state, as PyTorch's GRU and LSTM. */
function runContext(weights: Weights, { type, hidden: H, layers }: ContextConfig, N: number) {
  return (latent: Floats, state: State): { last: Float64Array; hidden: State } => {
    const frames = latent.length / N / modelDims(weights.config).latent;
    const [h, cell] = [state.h.slice(), state.cell.slice()];
    const last = new Float64Array(N * H);
    for (let n = 0; n < N; n++) {
      let input = Float64Array.from(
        latent.subarray(n * latent.length / N, (n + 1) * latent.length / N),
      );
      for (let l = 0; l < layers; l++) {
        const part = (name: string) => tensorOf(weights, `context.${name}_l${l}`).data;
        const [wi, wh, bi, bh] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(part);
        const own = h.subarray((l * N + n) * H, (l * N + n + 1) * H);
        const ownCell = cell.subarray((l * N + n) * H, (l * N + n + 1) * H);
        const width = input.length / frames;
        const out = new Float64Array(frames * H);
        for (let t = 0; t < frames; t++) {
          const [gi, gh] = [
            affine(wi, bi, input.subarray(t * width, (t + 1) * width)),
            affine(wh, bh, own),
          ];
          for (let i = 0; i < H; i++) {
            const gate = (g: number) => gi[g * H + i] + gh[g * H + i];
            if (type === "gru") {
              const candidate = Math.tanh(gi[2 * H + i] + sigmoid(gate(0)) * gh[2 * H + i]);
              own[i] = (1 - sigmoid(gate(1))) * candidate + sigmoid(gate(1)) * own[i];
            } else {
              ownCell[i] = sigmoid(gate(1)) * ownCell[i] + sigmoid(gate(0)) * Math.tanh(gate(2));
              own[i] = sigmoid(gate(3)) * Math.tanh(ownCell[i]);
            }
          }
          out.set(own, t * H);
        }
        input = out;
      }
      last.set(input.subarray(-H), n * H);
    }
    return { last, hidden: { h, cell } };
  };
}

function runPredictors(weights: Weights, N: number) {
  const { latent: Z, context: C, steps: K } = modelDims(weights.config);
  return (last: Floats): Float64Array => {
    const out = new Float64Array(N * K * Z);
    for (let n = 0; n < N; n++) {
      for (let k = 0; k < K; k++) {
        const [weight, bias] = [
          tensorOf(weights, `predictors.${k}.weight`).data,
          weights.tensors.get(`predictors.${k}.bias`)?.data,
        ];
        out.set(affine(weight, bias, last.subarray(n * C, (n + 1) * C)), (n * K + k) * Z);
      }
    }
    return out;
  };
}

const refusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof CpcError && error.code === code && message.test(error.message);

for (
  const given of OBJECTIVE_CASES.objective.filter(({ reverse, t }) =>
    reverse !== "both" && t !== "all"
  )
) {
  Deno.test(`originalForward() gives PyTorch's total, nce, accuracy: ${given.name}`, async () => {
    const backwards = given.reverse === "alone";
    const model = await caseWeights(given.model);
    const weights = backwards ? reversedModel(model)! : model;
    const golden = readGolden(given.file);
    const { steps: K } = modelDims(weights.config);
    const N = given.windows.length;
    const { latent } = await caseFeatures(weights, given.windows, {
      samples: given.window,
      backwards,
    });
    const array = (name: string) => Float64Array.from(golden.get(name)?.data ?? [], Number);
    const h = array("hidden_in");
    const hidden = {
      h,
      cell: golden.has("cell_in") ? array("cell_in") : new Float64Array(h.length),
    };
    const predict = runPredictors(weights, N);
    let predictions: Float64Array = new Float64Array(0);
    const result = originalForward({
      windows: N,
      frames: given.frames,
      steps: K,
      latent,
      hidden,
      t: Number(given.t),
      random: seeded(0),
      context: runContext(weights, weights.config.context, N),
      predict: (last) => predictions = predict(last),
    });
    const t = Number(given.t);
    const future = framesOf(latent, {
      windows: N,
      frames: given.frames,
      from: t + 1,
      to: t + 1 + K,
    });
    const total = array("total");
    for (let k = 1; k <= K; k++) {
      const own = total.subarray((k - 1) * N * N, k * N * N);
      assert.ok(
        maxDifference(totalOf({ windows: N, steps: K, future, predictions }, k), own) <=
          1e-4 * scale(own),
      );
    }
    assert.equal(result.t, t);
    assert.ok(Math.abs(result.nce - given.nce) <= 1e-4, `${result.nce} is not ${given.nce}`);
    assert.ok(maxDifference(result.steps.map(({ nce }) => nce), array("nce_k")) <= 1e-4);
    assert.ok(
      maxDifference(result.steps.map(({ accuracy }) => accuracy), array("accuracy_k")) < 1e-6,
    );
    assert.ok(Math.abs(result.accuracy - given.accuracy) < 1e-6);
    assert.ok(maxDifference(result.hidden.h, array("hidden_out")) <= 1e-4);
    if (golden.has("cell_out")) {
      assert.ok(maxDifference(result.hidden.cell, array("cell_out")) <= 1e-4);
    }
  });
}

for (const given of OBJECTIVE_CASES.objective.filter(({ reverse }) => reverse === "both")) {
  Deno.test(`meanFigures() gives the original's nce and accuracy: ${given.name}`, async () => {
    const model = await caseWeights(given.model);
    const golden = readGolden(given.file);
    const [N, T, t] = [given.windows.length, given.frames, Number(given.t)];
    const each = [];
    for (const [weights, backwards] of [[model, false], [reversedModel(model)!, true]] as const) {
      const { steps: K } = modelDims(weights.config);
      const { latent, predictions } = await caseFeatures(weights, given.windows, {
        samples: given.window,
        backwards,
      });
      each.push(objective({
        windows: N,
        steps: K,
        future: framesOf(latent, { windows: N, frames: T, from: t + 1, to: t + 1 + K }),
        predictions: framesOf(predictions, { windows: N, frames: T, from: t, to: t + 1 }),
      }));
    }
    const both = meanFigures(each);
    const array = (name: string) => Array.from(golden.get(name)?.data ?? [], Number);
    assert.ok(Math.abs(both.nce - given.nce) <= 1e-4, `${both.nce} is not ${given.nce}`);
    assert.ok(Math.abs(both.accuracy - given.accuracy) < 1e-6);
    assert.ok(maxDifference(both.steps.map(({ nce }) => nce), array("nce_k")) <= 1e-4);
    assert.ok(
      maxDifference(both.steps.map(({ accuracy }) => accuracy), array("accuracy_k")) < 1e-6,
    );
  });
}

for (const given of OBJECTIVE_CASES.objective.filter(({ t }) => t === "all")) {
  Deno.test(`meanFigures() over all t gives PyTorch's means: ${given.name}`, async () => {
    const weights = await caseWeights(given.model);
    const golden = readGolden(given.file);
    const { steps: K } = modelDims(weights.config);
    const [N, T] = [given.windows.length, given.frames];
    const { latent, predictions } = await caseFeatures(weights, given.windows, {
      samples: given.window,
    });
    const result = meanFigures(Array.from({ length: T - K }, (_, t) =>
      objective({
        windows: N,
        steps: K,
        future: framesOf(latent, { windows: N, frames: T, from: t + 1, to: t + 1 + K }),
        predictions: framesOf(predictions, { windows: N, frames: T, from: t, to: t + 1 }),
      })));
    assert.ok(Math.abs(result.nce - given.nce) <= 1e-4, `${result.nce} is not ${given.nce}`);
    assert.ok(
      maxDifference(
        result.steps.map(({ nce }) => nce),
        Array.from(golden.get("nce_k")?.data ?? [], Number),
      ) <= 1e-4,
    );
    const accuracies = Array.from(golden.get("accuracy_k")?.data ?? [], Number);
    const slack = given.fp32_vs_fp64.accuracy_k + 1 / (N * (T - K));
    assert.ok(maxDifference(result.steps.map(({ accuracy }) => accuracy), accuracies) <= slack);
  });
}

Deno.test("objective() refuses a batch of one", () => {
  const one = new Float64Array(6);
  assert.throws(
    () => objective({ windows: 1, steps: 2, future: one, predictions: one }),
    refusal("invalid_option", /at least 2, got 1/),
  );
});

Deno.test("objective() takes two windows", () => {
  const two = objective({
    windows: 2,
    steps: 1,
    future: Float64Array.of(2, 0),
    predictions: Float64Array.of(1, 0),
  });
  // total [[2, 0], [0, 0]]
  assert.ok(Math.abs(two.nce - (Math.log(1 + Math.exp(-2)) + Math.log(2)) / 2) < 1e-12);
  assert.equal(two.accuracy, 1);
});
