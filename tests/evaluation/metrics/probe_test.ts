import assert from "node:assert/strict";
import { loopDotProducts as products } from "../../support/products.ts";
import { minimise } from "../../../evaluation/metrics/lbfgs.ts";
import { fit, predict, probe, scalerOf, standardised } from "../../../evaluation/metrics/probe.ts";
import { maxDifference, readGolden } from "../../support/golden.ts";
import { random } from "../../support/stream.ts";

Deno.test("fit() equals scikit-learn's LogisticRegression within 1e-3, from anywhere", async () => {
  const golden = readGolden("probe.npz");
  const array = (name: string) => golden.get(name)!.data as Float32Array;
  const examples = {
    count: 90,
    vectors: array("points"),
    labels: golden.get("labels")!.data as Int32Array,
  };
  for (const [i, c] of array("c").entries()) {
    const penalty = 1 / (c * examples.count);
    const other = await fit(examples, { classes: 5, penalty: 1, products });
    for (const start of [undefined, other]) {
      const { weight, bias } = await fit(examples, {
        classes: 5,
        penalty,
        products,
        start,
        tolerance: 1e-6,
      });
      assert.ok(maxDifference(weight, array(`weight${i}`)) <= 1e-3);
      // free: all biases may move together
      const mean = bias.reduce((sum, x) => sum + x) / bias.length;
      assert.ok(maxDifference(bias.map((x) => x - mean), array(`bias${i}`)) <= 1e-3);
    }
  }
});

/** Labelled vectors around a corner of a cube each, features of very different sizes. */
function clusters({ count, noise, seed }: { count: number; noise: number; seed: number }) {
  const next = random(seed);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 4);
  const vectors = Float32Array.from({ length: count * 3 }, (_, i) => {
    const corner = (labels[Math.floor(i / 3)] >> (i % 3)) & 1;
    return (corner + noise * (next() - 0.5)) * 10 ** (i % 3) + 7;
  });
  return { count, vectors, labels };
}

Deno.test("probe() separates clusters at any scale, and guesses without any", async () => {
  const parts = (noise: number) => ({
    train: clusters({ count: 80, noise, seed: 1 }),
    dev: clusters({ count: 40, noise, seed: 2 }),
    test: clusters({ count: 60, noise, seed: 3 }),
  });
  const { right, devAccuracy } = await probe(parts(0.5), { classes: 4, products });
  assert.ok(right.every((x) => x === 1));
  assert.equal(devAccuracy, 1);
  const flat = Object.fromEntries(
    Object.entries(parts(0)).map((
      [name, part],
    ) => [name, { ...part, vectors: part.vectors.map(() => 3) }]),
  ) as ReturnType<typeof parts>;
  const guessed = await probe(flat, { classes: 4, products });
  assert.equal(guessed.right.reduce((sum, x) => sum + x, 0), 15);
});

Deno.test("probe() chooses its penalty on dev and its scale by train alone", async () => {
  const train = clusters({ count: 80, noise: 1.8, seed: 1 });
  const [dev, test] = [
    clusters({ count: 60, noise: 1.8, seed: 2 }),
    clusters({ count: 60, noise: 1.8, seed: 3 }),
  ];
  const usual = await probe({ train, dev, test }, { classes: 4, products });
  const devAsTest = await probe({ train, dev, test: dev }, { classes: 4, products });
  assert.equal(devAsTest.right.reduce((sum, x) => sum + x) / dev.count, usual.devAccuracy);

  const mislabelled = { ...test, labels: test.labels.map((label) => (label + 1) % 4) };
  const blind = await probe({ train, dev, test: mislabelled }, { classes: 4, products });
  assert.deepEqual([blind.penalty, blind.devAccuracy], [usual.penalty, usual.devAccuracy]);
  const choosing = await probe({
    train,
    dev: { ...dev, labels: dev.labels.map((label) => (label + 1) % 4) },
    test,
  }, {
    classes: 4,
    products,
  });
  assert.notEqual(choosing.penalty, usual.penalty);

  // one corner's, all of them
  const moved = { ...test, vectors: test.vectors.map((x, i) => x + 1000 * 10 ** (i % 3)) };
  const { right } = await probe({ train, dev, test: moved }, { classes: 4, products });
  assert.ok(right.reduce((sum, x) => sum + x) <= test.count / 2);
  assert.ok(usual.right.reduce((sum, x) => sum + x) > test.count / 2);
});

Deno.test("predict() takes the first of the highest", async () => {
  const model = { weight: Float32Array.of(1, -1, 1), bias: new Float32Array(3) };
  assert.deepEqual([
    ...await predict({ count: 2, vectors: Float32Array.of(2, -2) }, model, products),
  ], [0, 1]);
});

Deno.test("standardised() gives mean 0 and deviation 1, and leaves constant features at 0", () => {
  const vectors = Float32Array.of(1, 5, 3, 5, 5, 5);
  const scaled = standardised(vectors, scalerOf(vectors, 2));
  assert.ok(
    maxDifference(scaled, Float32Array.of(-Math.sqrt(1.5), 0, 0, 0, Math.sqrt(1.5), 0)) <= 1e-6,
  );
});

Deno.test("minimise() finds the bottom of Rosenbrock's valley", async () => {
  const { point, value } = await minimise(
    ([x, y]) =>
      Promise.resolve({
        value: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
        gradient: Float64Array.of(-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)),
      }),
    Float64Array.of(-1.2, 1),
    { tolerance: 1e-8 },
  );
  assert.ok(maxDifference(Float32Array.from(point), Float32Array.of(1, 1)) <= 1e-6);
  assert.ok(value < 1e-12);
});
