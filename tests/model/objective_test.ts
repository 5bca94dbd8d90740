import assert from "node:assert/strict";
import fc from "fast-check";
import { z } from "zod";
import { CpcError } from "../../errors.ts";
import type { ContextConfig } from "../../model/architecture.ts";
import {
  chooseFrame,
  drawNegatives,
  figuresOf,
  type Floats,
  framesOf,
  meanFigures,
  objective,
  originalForward,
  sampledObjective,
  totalOf,
} from "../../model/objective.ts";
import { seeded } from "../../model/seeded.ts";
import { reversedModel } from "../../model/reverse.ts";
import { modelDims, tensorOf, type Weights } from "../../model/weights.ts";
import {
  caseWeights,
  fixtureSamples,
  indices,
  maxDifference,
  readGolden,
} from "../support/golden.ts";
import { random, stepTogether, TestStream } from "../support/stream.ts";
import { createEngine } from "../../model/engines/create.ts";

const window = z.object({ wav: z.string(), start: z.int() });
const common = {
  name: z.string(),
  model: z.string(),
  windows: z.array(window),
  window: z.int(),
  frames: z.int(),
  file: z.string(),
};
const index = z.object({
  objective: z.array(z.object({
    ...common,
    t: z.union([z.int(), z.literal("all")]),
    reverse: z.string().nullable(),
    nce: z.number(),
    accuracy: z.number(),
    fp32_vs_fp64: z.object({ accuracy_k: z.number() }),
  })),
  negatives: z.array(z.object({
    ...common,
    shared: z.boolean(),
    nce: z.number(),
    fp32_vs_fp64: z.object({ accuracy_k: z.number() }),
  })),
}).parse(
  JSON.parse(Deno.readTextFileSync(new URL("../fixtures/golden/index.json", import.meta.url))),
);

interface Features {
  /** `[N, T, Z]`, `[N, T, C]` of the last layer, `[N, T, K, Z]` */
  readonly latent: Float64Array;
  readonly predictions: Float64Array;
}

/** All windows of a case, as streams side by side. */
async function features(
  weights: Weights,
  windows: readonly z.infer<typeof window>[],
  { samples, backwards = false }: { samples: number; backwards?: boolean },
): Promise<Features> {
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const streams = windows.map(({ wav, start }) => {
    const stream = new TestStream(engine);
    const heard = fixtureSamples(wav, { start, samples });
    stream.queue.push(backwards ? heard.reverse() : heard);
    stream.queue.finish();
    return stream;
  });
  for (let left = streams[0].queue.hopsReady; left > 0; left = streams[0].queue.hopsReady) {
    await stepTogether(engine, streams, streams[0].queue.young ? 1 : Math.min(8, left));
  }
  const hidden = Float32Array.from(streams.flatMap((stream) => stream.hidden));
  const predictions = Float64Array.from(await engine.predict(hidden));
  await engine.dispose();
  return { latent: Float64Array.from(streams.flatMap((stream) => stream.latent)), predictions };
}

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

const scale = (values: ArrayLike<number>) =>
  Array.from(values).reduce((max, x) => Math.max(max, Math.abs(x)), 1);

for (const given of index.objective.filter(({ reverse, t }) => reverse !== "both" && t !== "all")) {
  Deno.test(`originalForward() gives PyTorch's total, nce, accuracy and hidden state: ${given.name}`, async () => {
    const backwards = given.reverse === "alone";
    const model = await caseWeights(given.model);
    const weights = backwards ? reversedModel(model)! : model;
    const golden = readGolden(given.file);
    const { steps: K } = modelDims(weights.config);
    const N = given.windows.length;
    const { latent } = await features(weights, given.windows, { samples: given.window, backwards });
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

for (const given of index.objective.filter(({ reverse }) => reverse === "both")) {
  Deno.test(`meanFigures() of both networks gives the original's nce and accuracy: ${given.name}`, async () => {
    const model = await caseWeights(given.model);
    const golden = readGolden(given.file);
    const [N, T, t] = [given.windows.length, given.frames, Number(given.t)];
    const each = [];
    for (const [weights, backwards] of [[model, false], [reversedModel(model)!, true]] as const) {
      const { steps: K } = modelDims(weights.config);
      const { latent, predictions } = await features(weights, given.windows, {
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

for (const given of index.objective.filter(({ t }) => t === "all")) {
  Deno.test(`meanFigures() over all t gives PyTorch's means: ${given.name}`, async () => {
    const weights = await caseWeights(given.model);
    const golden = readGolden(given.file);
    const { steps: K } = modelDims(weights.config);
    const [N, T] = [given.windows.length, given.frames];
    const { latent, predictions } = await features(weights, given.windows, {
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

for (const given of index.negatives) {
  Deno.test(`sampledObjective() gives PyTorch's nce and accuracy: ${given.name}`, async () => {
    const weights = await caseWeights(given.model);
    const golden = readGolden(given.file);
    const { steps: K } = modelDims(weights.config);
    const [N, T] = [given.windows.length, given.frames];
    const { latent, predictions } = await features(weights, given.windows, {
      samples: given.window,
    });
    const result = sampledObjective({
      windows: N,
      frames: T,
      steps: K,
      latent,
      predictions: framesOf(predictions, { windows: N, frames: T, from: 0, to: T - K }),
      negatives: indices(golden.get("negatives")),
      shared: given.shared,
    });
    const array = (name: string) => Array.from(golden.get(name)?.data ?? [], Number);
    assert.ok(maxDifference(result.nceEach, array("nce_each")) <= 1e-4 * scale(array("nce_each")));
    assert.ok(maxDifference(result.steps.map(({ nce }) => nce), array("nce_k")) <= 1e-4);
    assert.ok(Math.abs(result.nce - given.nce) <= 1e-4);
    const slack = given.fp32_vs_fp64.accuracy_k + 1 / (N * (T - K));
    assert.ok(
      maxDifference(result.steps.map(({ accuracy }) => accuracy), array("accuracy_k")) <= slack,
    );
  });
}

const refusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof CpcError && error.code === code && message.test(error.message);

Deno.test("objective() refuses a batch of one; chooseFrame() a t out of range and windows too short, with the numbers", () => {
  const one = new Float64Array(6);
  assert.throws(
    () => objective({ windows: 1, steps: 2, future: one, predictions: one }),
    refusal("invalid_option", /at least 2, got 1/),
  );
  const frames = { frames: 20, steps: 12 };
  for (const t of [-1, 8, 2.5]) {
    assert.throws(
      () => chooseFrame(frames, { t, random: seeded(1) }),
      refusal("invalid_option", /0 to 7 .* got/),
    );
  }
  assert.equal(chooseFrame(frames, { t: 0, random: seeded(1) }), 0);
  assert.equal(chooseFrame(frames, { t: 7, random: seeded(1) }), 7);
  assert.throws(
    () => chooseFrame({ frames: 12, steps: 12 }, { random: seeded(1) }),
    refusal("audio_too_short", /at least 13; it has 12/),
  );
});

Deno.test("objective() and sampledObjective() at the bounds: two windows; one window and one negative, but not none, nor T = K", () => {
  const two = objective({
    windows: 2,
    steps: 1,
    future: Float64Array.of(2, 0),
    predictions: Float64Array.of(1, 0),
  });
  // total [[2, 0], [0, 0]]
  assert.ok(Math.abs(two.nce - (Math.log(1 + Math.exp(-2)) + Math.log(2)) / 2) < 1e-12);
  assert.equal(two.accuracy, 1);
  const one = {
    windows: 1,
    frames: 2,
    steps: 1,
    latent: Float64Array.of(0, 3),
    predictions: Float64Array.of(1),
    shared: true,
  };
  const { nce, accuracy, nceEach } = sampledObjective({ ...one, negatives: [0] });
  assert.ok(Math.abs(nce - Math.log(1 + Math.exp(-3))) < 1e-12);
  assert.deepEqual([accuracy, nceEach.length], [1, 1]);
  assert.equal(sampledObjective({ ...one, negatives: [1] }).nce, 0); // the positive itself, masked
  assert.throws(() => sampledObjective({ ...one, negatives: [] }), RangeError);
  assert.throws(
    () => sampledObjective({ ...one, frames: 1, latent: Float64Array.of(0), negatives: [0] }),
    refusal("audio_too_short", /at least 2; it has 1/),
  );
});

Deno.test("chooseFrame() draws every frame, and the same by the same seed", () => {
  const drawn = new Set<number>();
  for (let seed = 0; seed < 300; seed++) {
    const draw = () => chooseFrame({ frames: 20, steps: 12 }, { random: seeded(seed) });
    assert.equal(draw(), draw());
    drawn.add(draw());
  }
  assert.deepEqual([...drawn].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("seeded() is the generator that docs/scoring.md describes; it refuses seeds beyond 32 bits", () => {
  const [a, b] = [seeded(12345), random(12345)];
  for (let i = 0; i < 100; i++) assert.equal(a(), b());
  for (const seed of [-1, 0.5, 2 ** 32, NaN]) assert.throws(() => seeded(seed), RangeError);
});

Deno.test("figuresOf() takes the first of equals, as torch.argmax: equal scores are right for the first window alone", () => {
  const { nce, accuracy } = figuresOf(new Float64Array(16), 1);
  assert.ok(Math.abs(nce - Math.log(4)) < 1e-12);
  assert.equal(accuracy, 1 / 4);
});

Deno.test("figuresOf() stays finite for huge scores, and one constant added to a row changes nothing", () => {
  fc.assert(fc.property(
    fc.integer({ min: 2, max: 6 }).chain((n) =>
      fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), {
        minLength: n * n,
        maxLength: n * n,
      })
    ),
    (values) => {
      const figures = figuresOf(Float64Array.from(values), 1);
      assert.ok(Number.isFinite(figures.nce) && figures.nce >= 0);
      const n = Math.sqrt(values.length);
      const moved = figuresOf(Float64Array.from(values, (x, i) => i < n ? x + 100 : x), 1);
      assert.ok(Math.abs(moved.nce - figures.nce) < 1e-6);
    },
  ));
});

Deno.test("drawNegatives() draws different rows, all of them when as many are asked for", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(), fc.nat(2 ** 32 - 1), (rows, n, seed) => {
      const count = n % (rows + 1);
      const drawn = drawNegatives({ rows, count }, seeded(seed));
      assert.equal(new Set(drawn).size, count);
      assert.ok(drawn.every((row) => row >= 0 && row < rows));
      assert.deepEqual(drawn, drawNegatives({ rows, count }, seeded(seed)));
    }),
  );
  assert.throws(() => drawNegatives({ rows: 3, count: 4 }, seeded(1)), RangeError);
});
