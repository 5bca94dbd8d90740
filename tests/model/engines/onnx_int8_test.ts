import assert from "node:assert/strict";
import type * as Ort from "onnxruntime-node";
import { CpcError } from "../../../errors.ts";
import { modelConfigSchema, offlineFrames, streamingPlan } from "../../../model/architecture.ts";
import { type Engine, PRECISIONS } from "../../../model/engine.ts";
import { loadOnnxRuntime } from "../../../model/engines/onnx_runtime.ts";
import { foldConv } from "../../../model/folded.ts";
import { loadWeights, type Weights } from "../../../model/weights.ts";
import { maxDifference, relativeDifference } from "../../support/golden.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { voice, wide, withEngine } from "../../support/int8.ts";
import { random, stepTogether, streamWhole, TestStream } from "../../support/stream.ts";
import { createEngine } from "../../../model/engines/create.ts";

/** Inputs of a product from which on it is computed in 8 bits. */
const WIDE = 256;

/** Rounds weights to −range … range times a scale. */
function roundedWeights(weights: Float64Array, range: number): Float64Array<ArrayBuffer> {
  const scale = weights.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / range || 1;
  return Float64Array.from(weights, (x) => Math.round(x / scale) * scale);
}

/** Rounds a block to 255 steps between its least and its greatest number, 0 being one of them. */
function roundedBlock(block: Float64Array): Float64Array<ArrayBuffer> {
  const [least, greatest] = [Math.min(0, ...block), Math.max(0, ...block)];
  const scale = (greatest - least) / 255 || 1;
  const lowest = Math.round(least / scale);
  return Float64Array.from(block, (x) => {
    const byte = Math.min(255, Math.max(0, Math.round(x / scale) - lowest));
    return (byte + lowest) * scale;
  });
}

/** Rounds each block of `size` numbers by `round`. */
function inBlocks(
  row: Float64Array,
  size: number,
  round: (block: Float64Array) => Float64Array,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(row.length);
  for (let from = 0; from < row.length; from += size) {
    out.set(round(row.subarray(from, from + size)), from);
  }
  return out;
}

/**
 * What goes into each layer and comes out of the last, `[rows, channels]` each, as plain loops over
 * whole signals; batch norm only.
 *
 * @param options `silence`: what goes into each layer in silence; with it, products of {@linkcode
 *   WIDE} and more are rounded, their weights to `weightRange`
 */
function plainEncoder(
  weights: Weights,
  samples: Float32Array,
  { silence, weightRange = 127 }: { silence?: Float64Array[]; weightRange?: number } = {},
): Float64Array[] {
  const layers = [Float64Array.from(samples)];
  for (const [i, conv] of streamingPlan(weights.config).convs.entries()) {
    const { weight, bias } = foldConv(weights, conv);
    const { inChannels: I, outChannels: O, kernel, stride, padding, frontTaps } = conv;
    const width = weight.length / O;
    const around = silence && width >= WIDE ? silence[i] : undefined;
    const column = (o: number) => Float64Array.from({ length: width }, (_, r) => weight[r * O + o]);
    const columns = Array.from(
      { length: O },
      (_, o) =>
        around ? inBlocks(column(o), stride * I, (w) => roundedWeights(w, weightRange)) : column(o),
    );
    const base = bias.map((x, o) =>
      around ? column(o).reduce((sum, w, r) => sum + w * around[r % I], x) : x
    );
    const x = layers[i];
    const rows = Math.floor((x.length / I + 2 * padding - kernel) / stride) + 1;
    const out = new Float64Array(rows * O);
    for (let t = 0; t < rows; t++) {
      const first = (t * stride - padding - frontTaps) * I;
      let window = Float64Array.from(
        { length: width },
        (_, r) => (x[first + r] ?? 0) - (around?.[r % I] ?? 0),
      );
      if (around) window = inBlocks(window, stride * I, roundedBlock);
      for (let o = 0; o < O; o++) {
        out[t * O + o] = Math.max(
          0,
          window.reduce((sum, x, r) => sum + x * columns[o][r], base[o]),
        );
      }
    }
    layers.push(out);
  }
  return layers;
}

Deno.test("onnx in int8: latents are what rounding blocks around silence gives", async () => {
  const plain = modelConfigSchema.parse({
    ...wide,
    encoder: wide.encoder.map((layer) => ({ ...layer, norm: "batch", residual_blocks: 0 })),
  });
  const weights = randomWeights(plain, 4);
  const samples = voice(8000, 5).map((x) => 30 * x); // far from silence
  const silence = plainEncoder(weights, new Float32Array(4000)).map((layer, i) => {
    const channels = i === 0 ? 1 : plain.encoder[i - 1].channels;
    const middle = Math.floor(layer.length / channels / 2) * channels;
    return layer.slice(middle, middle + channels);
  });
  const exact = plainEncoder(weights, samples).at(-1)!;
  await withEngine(weights, "int8", async (engine) => {
    const { frames, latent } = await streamWhole(engine, samples, [1000, 1, 2000]);
    assert.equal(frames, offlineFrames(plain, samples.length));
    const weightRange = engine.backend.warning ? 63 : 127;
    const wanted = plainEncoder(weights, samples, { silence, weightRange }).at(-1)!;
    const off = relativeDifference(latent, wanted) / relativeDifference(wanted, exact);
    // what is midway may be rounded to the other side
    assert.ok(off < 0.1, `off by ${off} of what rounding makes`);
  });
});

Deno.test("onnx in int8: any chunking and any company give the same to the last bit", async () => {
  const samples = voice(12_000, 6).map((x) => 20 * x);
  for (const weights of [randomWeights(wide, 7), await loadWeights("weights/cpc-base")]) {
    await withEngine(weights, "int8", async (engine) => {
      const whole = await streamWhole(engine, samples);
      for (const size of [160, 777, 3333]) {
        const chunked = await streamWhole(
          engine,
          samples,
          Array(Math.ceil(samples.length / size)).fill(size),
        );
        assert.equal(chunked.frames, whole.frames);
        assert.deepEqual(chunked.latent, whole.latent);
        assert.deepEqual(chunked.context, whole.context);
      }
      const streams = [0, 1, 2].map(() => new TestStream(engine));
      streams.forEach((stream, i) =>
        stream.queue.push(i === 1 ? samples.slice() : voice(samples.length, 8 + i))
      );
      while (streams[1].queue.hopsReady > 0) await stepTogether(engine, streams, 1);
      const { latent, context } = streams[1].features;
      assert.ok(latent.length > 0);
      assert.deepEqual(latent, whole.latent.slice(0, latent.length));
      assert.deepEqual(context, whole.context.slice(0, context.length));
    });
  }
});

Deno.test("onnx in int8: predictions are what rounding each wide context gives", async () => {
  const context = { type: "gru", hidden: WIDE, layers: 1 } as const;
  const weights = randomWeights({ ...tinyConfig, context }, 11, "wide");
  const next = random(12);
  const rows = Array.from(
    { length: 5 },
    () => Float32Array.from({ length: WIDE }, () => next() - 0.3),
  );
  const steps = tinyConfig.predictors!.steps;
  const predict = (row: Float64Array, round: (column: Float64Array) => Float64Array) =>
    Array.from({ length: steps }, (_, k) => {
      const { data } = weights.tensors.get(`predictors.${k}.weight`)!;
      const bias = weights.tensors.get(`predictors.${k}.bias`)?.data;
      return Array.from({ length: data.length / WIDE }, (_, z) => {
        const column = round(Float64Array.from(data.subarray(z * WIDE, (z + 1) * WIDE)));
        return row.reduce((sum, x, i) => sum + x * column[i], bias?.[z] ?? 0);
      });
    }).flat();
  await withEngine(weights, "int8", async (engine) => {
    const range = engine.backend.warning ? 63 : 127;
    const joined = Float32Array.from(rows.flatMap((row) => [...row]));
    const together = (await engine.predict(joined)).slice();
    const width = together.length / rows.length;
    for (const [i, row] of rows.entries()) {
      const alone = await engine.predict(row);
      assert.deepEqual(alone, together.slice(i * width, (i + 1) * width));
      const exact = predict(Float64Array.from(row), (column) => column);
      const wanted = predict(
        roundedBlock(Float64Array.from(row)),
        (column) => roundedWeights(column, range),
      );
      const off = relativeDifference(alone, wanted) / relativeDifference(wanted, exact);
      // what is midway may be rounded to the other side
      assert.ok(off < 0.1, `off by ${off} of what rounding makes`);
    }
  });
});

Deno.test("OnnxEngine.create() in int8: CPU alone; fp32 for a narrow model", async () => {
  const weights = randomWeights(tinyConfig);
  const create = (device: string) =>
    createEngine("onnx", weights, { device, precision: "int8", threads: 1 });
  await assert.rejects(create("webgpu"), {
    code: "invalid_option",
    message: /--precision int8 computes on the CPU.*not webgpu/,
  });
  const samples = voice(4000, 3);
  const hops = Array(samples.length / 160).fill(160); // many at once are another graph in fp32
  const engine = await create("auto");
  assert.equal(engine.device, "cpu");
  const { latent } = await streamWhole(engine, samples, hops);
  await engine.dispose();
  await withEngine(
    weights,
    "fp32",
    async (engine) => assert.deepEqual(latent, (await streamWhole(engine, samples, hops)).latent),
  );
});

Deno.test("onnx in int8: silence, once it has lasted, is what it is in fp32", async () => {
  for (const weights of [randomWeights(wide, 7), await loadWeights("weights/cpc-base")]) {
    const latents: number[][] = [];
    for (const precision of PRECISIONS) {
      await withEngine(weights, precision, async (engine) => {
        const { latent } = await streamWhole(engine, new Float32Array(4000));
        latents.push(latent.slice(10 * engine.layout.dims.latent, 15 * engine.layout.dims.latent));
      });
    }
    if (latents.length === 2) assert.ok(maxDifference(latents[1], latents[0]) <= 1e-4);
  }
});

/** Loads the int8 engine while the first sessions with one output `y` give `wrong` sums. */
async function withWrongProducts(
  weights: Weights,
  { wrong, times }: { wrong: number; times: number },
): Promise<Engine> {
  const { InferenceSession, Tensor } = await loadOnnxRuntime();
  const { create } = InferenceSession;
  let left = times;
  const overflowing = async (model: Uint8Array, options?: Ort.InferenceSession.SessionOptions) => {
    const session = await create.call(InferenceSession, model, options);
    if (session.outputNames.join() !== "y" || left-- <= 0) return session;
    const y = new Tensor("float32", new Float32Array(4 * 16).fill(wrong), [4, 16]);
    return Object.assign(session, { run: () => Promise.resolve({ y }) });
  };
  try {
    Object.assign(InferenceSession, { create: overflowing });
    return await createEngine("onnx", weights, { device: "cpu", precision: "int8", threads: 1 });
  } finally {
    Object.assign(InferenceSession, { create });
  }
}

Deno.test("OnnxEngine.create() in int8 says when it rounds weights to 7 bits", async () => {
  const samples = voice(8000, 9);
  const weights = await loadWeights("weights/cpc-base");
  let exact: number[] = [];
  await withEngine(weights, "fp32", async (engine) => {
    assert.equal(engine.backend.warning, undefined);
    exact = (await streamWhole(engine, samples)).context;
  });
  const engine = await withWrongProducts(weights, { wrong: 400, times: 1 });
  try {
    assert.match(engine.backend.warning ?? "", /--precision int8 rounds weights to 7 bits/);
    const { context } = await streamWhole(engine, samples);
    const off = relativeDifference(context, exact);
    assert.ok(off < 0.03, `${off} off`);
    await withEngine(weights, "int8", async (full) => {
      if (full.backend.warning) return; // 7 bits as well
      const { context: finer } = await streamWhole(full, samples);
      assert.ok(relativeDifference(finer, exact) < off);
    });
  } finally {
    await engine.dispose();
  }
});

Deno.test("OnnxEngine.create() in int8 refuses a processor with wrong kernels", async () => {
  const always = { wrong: 400, times: Infinity };
  await assert.rejects(withWrongProducts(randomWeights(wide), always), (error) => {
    assert.ok(error instanceof CpcError);
    assert.match(
      error.message,
      /8-bit products are wrong on this processor \(400 where ±\d+ is right\); use --precision fp32/,
    );
    return true;
  });
  await (await withWrongProducts(randomWeights(tinyConfig), always)).dispose();
});
