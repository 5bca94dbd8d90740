/**
 * A linear probe: multinomial logistic regression on frozen features, with its L2 penalty chosen on
 * dev speakers.
 *
 * Legend: N examples, D features, L labels.
 */
import { logSumExp } from "../../model/floats.ts";
import type { DotProducts } from "../products.ts";
import { minimise } from "./lbfgs.ts";

/** Labelled vectors. */
export interface Examples {
  /** N */
  readonly count: number;
  /** `[N, D]` */
  readonly vectors: Float32Array;
  /** `[N]`, 0 … L − 1 */
  readonly labels: Int32Array;
}

/** A classifier. */
export interface LinearModel {
  /** `[L, D]` */
  readonly weight: Float32Array;
  /** `[L]` */
  readonly bias: Float32Array;
}

/** Penalties to try, strongest first. Each fit begins where the one before ended. */
const PENALTIES = [1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001];

/** How vectors are shifted and scaled: by the mean and deviation of each feature. */
export interface Scaler {
  readonly mean: Float64Array;
  /** 1 for a feature that never changes. */
  readonly deviation: Float64Array;
}

/** Mean and deviation of each of D features over `[N, D]`. */
export function scalerOf(vectors: Float32Array, width: number): Scaler {
  const count = vectors.length / width;
  const mean = new Float64Array(width);
  const deviation = new Float64Array(width);
  for (let i = 0; i < vectors.length; i++) mean[i % width] += vectors[i] / count;
  for (let i = 0; i < vectors.length; i++) {
    deviation[i % width] += (vectors[i] - mean[i % width]) ** 2 / count;
  }
  return {
    mean,
    deviation: deviation.map((x, i) => x > 1e-12 * (mean[i] ** 2 + 1e-12) ? Math.sqrt(x) : 1),
  };
}

/**
 * Vectors `[N, D]`, shifted and scaled so that the scaler's own data have mean 0 and deviation 1.
 */
export function standardised(vectors: Float32Array, { mean, deviation }: Scaler): Float32Array {
  const width = mean.length;
  return vectors.map((x, i) => (x - mean[i % width]) / deviation[i % width]);
}

/**
 * Fits a classifier: minimises the mean of −log p(label) + penalty / 2 · Σ weight², biases free.
 *
 * @param options `start` to begin from; `tolerance` of the gradient
 */
export async function fit(
  { count: N, vectors, labels }: Examples,
  { classes: L, penalty, products, start, tolerance = 1e-4 }: {
    classes: number;
    penalty: number;
    products: DotProducts;
    start?: LinearModel;
    tolerance?: number;
  },
): Promise<LinearModel> {
  const D = vectors.length / N;
  const columns = transposed(vectors, { rows: N, columns: D }); // [D, N]
  const slopeAt = async (point: Float64Array) => {
    const model = unpack(point, { classes: L, features: D });
    const scores = await scoresOf({ count: N, vectors }, model, products); // [N, L]
    const surplus = new Float32Array(L * N); // [L, N]: p − 1 of the label, p of the others
    const gradient = new Float64Array(point.length);
    let value = 0;
    for (let n = 0; n < N; n++) {
      const row = scores.subarray(n * L, (n + 1) * L);
      const logSum = logSumExp(row);
      value += (logSum - row[labels[n]]) / N;
      for (let l = 0; l < L; l++) {
        const share = (Math.exp(row[l] - logSum) - (l === labels[n] ? 1 : 0)) / N;
        surplus[l * N + n] = share;
        gradient[L * D + l] += share;
      }
    }
    const towards = await products({ width: N, left: surplus, right: columns }); // [L, D]
    for (let i = 0; i < L * D; i++) {
      gradient[i] = towards[i] + penalty * point[i];
      value += penalty / 2 * point[i] ** 2;
    }
    return { value, gradient };
  };
  const initial = new Float64Array(L * D + L);
  if (start) {
    initial.set(start.weight);
    initial.set(start.bias, L * D);
  }
  const { point } = await minimise(slopeAt, initial, { tolerance });
  return unpack(point, { classes: L, features: D });
}

/** The label of each vector: the highest score, the first of equals. */
export async function predict(
  examples: Pick<Examples, "count" | "vectors">,
  model: LinearModel,
  products: DotProducts,
): Promise<Int32Array> {
  const L = model.bias.length;
  const scores = await scoresOf(examples, model, products);
  return Int32Array.from({ length: examples.count }, (_, n) => {
    const row = scores.subarray(n * L, (n + 1) * L);
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
  });
}

/** The result of a probe. */
export interface Probed {
  /** For each test example: 1 if its label was found. */
  readonly right: Uint8Array;
  readonly penalty: number;
  readonly devAccuracy: number;
}

/**
 * Fits on train, chooses the penalty on dev (the strongest among equals), and looks at test once.
 * Features are standardised by train.
 */
export async function probe(
  { train, dev, test }: { train: Examples; dev: Examples; test: Examples },
  { classes, products }: { classes: number; products: DotProducts },
): Promise<Probed> {
  const scaler = scalerOf(train.vectors, train.vectors.length / train.count);
  const scaled = (examples: Examples) => ({
    ...examples,
    vectors: standardised(examples.vectors, scaler),
  });
  const [fitting, choosing] = [scaled(train), scaled(dev)];
  let model: LinearModel | undefined;
  let best: { model: LinearModel; penalty: number; devAccuracy: number } | undefined;
  for (const penalty of PENALTIES) {
    model = await fit(fitting, { classes, penalty, products, start: model });
    const found = await predict(choosing, model, products);
    const devAccuracy = found.filter((label, i) => label === dev.labels[i]).length / dev.count;
    if (!best || devAccuracy > best.devAccuracy) best = { model, penalty, devAccuracy };
  }
  const { model: chosen, penalty, devAccuracy } = best!;
  const found = await predict(scaled(test), chosen, products);
  return {
    right: Uint8Array.from(found, (label, i) => label === test.labels[i] ? 1 : 0),
    penalty,
    devAccuracy,
  };
}

async function scoresOf(
  { count, vectors }: Pick<Examples, "count" | "vectors">,
  { weight, bias }: LinearModel,
  products: DotProducts,
): Promise<Float32Array> {
  const scores = await products({ width: vectors.length / count, left: vectors, right: weight });
  return scores.map((score, i) => score + bias[i % bias.length]);
}

function unpack(
  point: Float64Array,
  { classes, features }: { classes: number; features: number },
): LinearModel {
  return {
    weight: Float32Array.from(point.subarray(0, classes * features)),
    bias: Float32Array.from(point.subarray(classes * features)),
  };
}

function transposed(
  matrix: Float32Array,
  { rows, columns }: { rows: number; columns: number },
): Float32Array {
  const out = new Float32Array(matrix.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) out[c * rows + r] = matrix[r * columns + c];
  }
  return out;
}
