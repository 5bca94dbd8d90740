import assert from "node:assert/strict";
import { join } from "node:path";
import { loadTfjs } from "../../../model/tfjs/backend.ts";
import { seeded } from "../../../model/seeded.ts";
import { HEAD_TYPES, type HeadType } from "../../../training/heads/network.ts";
import { headGraph } from "../../../training/heads/graph.ts";
import { HeadHearing } from "../../../training/heads/hearing.ts";
import { type HeardRecording, scaleOf, UNLABELLED } from "../../../training/heads/rows.ts";
import { HeadRun } from "../../../training/heads/run.ts";
import { type HeadOptions, HeadTrainer } from "../../../training/heads/trainer.ts";
import { balance, batchAt, packed, windowsOf } from "../../../training/heads/windows.ts";
import { headSpecSchema } from "../../../model/heads/spec.ts";
import { withTempFolder } from "../../support/corpus.ts";

const { tf } = await loadTfjs({ device: "wasm", gradients: true });
const WIDTH = 6;

/** Rows of noise around 5; the label says whether the first feature was high two rows before. */
function recording(seed: number, { rows = 24, delay = 0 } = {}): HeardRecording {
  const random = seeded(seed);
  const data = Float32Array.from({ length: rows * WIDTH }, () => 5 + random());
  const labels = Int32Array.from({ length: rows }, (_, row) => {
    if (row % 7 === 6 || row < delay) return UNLABELLED;
    return data[(row - delay) * WIDTH] > 5.6 ? 0 : 1;
  });
  return { path: `${seed}`, group: `${seed}`, data, labels, rows };
}

const options: HeadOptions = { seed: 1, batch: 4, rate: 0.02, steps: 60, patience: 100 };

function trainer(type: HeadType, more: Partial<HeadOptions> = {}, delay = 0): HeadTrainer {
  const train = Array.from({ length: 16 }, (_, i) => recording(i + 1, { delay }));
  return new HeadTrainer(tf, {
    shape: { type, width: WIDTH, hidden: 16, labels: 2 },
    options: { ...options, ...more },
    scale: scaleOf(train, WIDTH),
    train,
    dev: [recording(100, { delay }), recording(101, { rows: 17, delay })],
  });
}

function toEnd(head: HeadTrainer, until = Infinity): void {
  while (!head.isOver && head.progress.step < until) {
    head.train();
    if (head.progress.step % head.evalSteps === 0) head.look();
  }
}

for (const type of HEAD_TYPES) {
  Deno.test(`HeadTrainer lets a ${type} head learn, and its graph says the same`, async () => {
    const before = tf.memory().numTensors;
    const head = trainer(type, { steps: 150 }, type === "gru" ? 2 : 0);
    head.look();
    const first = head.progress.bestLoss;
    toEnd(head);
    const least = type === "gru" ? 0.75 : 0.5; // without memory, its loss would not fall
    assert.ok(head.progress.bestLoss < least * first, `${first} → ${head.progress.bestLoss}`);

    const heard = recording(100);
    const scale = scaleOf(Array.from({ length: 16 }, (_, i) => recording(i + 1)), WIDTH);
    const { shape } = head.network;
    for (const [name, variable] of head.network.variables) {
      tf.tidy(() => variable.assign(tf.tensor(head.best.get(name)!, variable.shape)));
    }
    const scaled = heard.data.map((x, i) =>
      (x - scale.mean[i % WIDTH]) / scale.deviation[i % WIDTH]
    );
    const wanted = tf.tidy(() =>
      tf.softmax(head.network.logits(tf.tensor3d(scaled, [heard.rows, 1, WIDTH])))
        .dataSync<"float32">().filter((_, i) => i % 2 === 0)
    );
    const [given] = await hearing(
      head.best,
      { type, scale },
      (one) => one.hear([heard.data], shape.width),
    );
    assert.ok(given.every((p, i) => Math.abs(p - wanted[i]) < 1e-5), "the graph differs");
    head.dispose();
    assert.equal(tf.memory().numTensors, before, "tensors were left behind");
  });

  Deno.test(`headGraph() of a ${type} head gives the very same rows in any company`, async () => {
    const head = trainer(type);
    const scale = scaleOf([recording(1)], WIDTH);
    const all = Array.from({ length: 9 }, (_, i) => recording(i + 1, { rows: 40 - 3 * i }).data);
    await hearing(head.best, { type, scale }, async (one) => {
      const together = await one.hear(all, WIDTH);
      for (const [i, data] of all.entries()) {
        assert.deepEqual((await one.hear([data], WIDTH))[0], together[i], `recording ${i}`);
      }
      const [pair] = await one.hear(all.slice(0, 2), WIDTH);
      assert.deepEqual(pair, together[0]);
      return together;
    });
    head.dispose();
  });

  Deno.test(`HeadRun: a ${type} head in three sittings ends as one in one`, async () => {
    await withTempFolder(async (folder) => {
      const whole = trainer(type, { steps: 30 });
      toEnd(whole);
      for (const until of [7, 27, Infinity]) {
        const part = trainer(type, { steps: 30 });
        const run = new HeadRun(folder);
        await run.open({ type, steps: 30 });
        assert.equal(await run.restore(tf, part), until > 7);
        toEnd(part, until);
        await run.save(part);
        if (until === Infinity) {
          assert.deepEqual(part.progress, whole.progress);
          assert.deepEqual(part.best, whole.best);
          assert.deepEqual(part.network.weights(), whole.network.weights());
          await assert.rejects(run.open({ type, steps: 41 }), {
            code: "invalid_option",
            message: /holds a run with other options \(steps differ\)/,
          });
        }
        part.dispose();
      }
      whole.dispose();
    });
  });
}

Deno.test("HeadRun.open() refuses a run whose options cannot be read, naming all", async () => {
  await withTempFolder(async (folder) => {
    const run = new HeadRun(folder);
    await run.open({ type: "linear" });
    await Deno.writeTextFile(join(folder, "checkpoint.safetensors"), "");
    for (const broken of ["null", "{", "[1]"]) {
      await Deno.writeTextFile(join(folder, "config.json"), broken);
      await assert.rejects(run.open({ type: "linear", steps: 4 }), {
        code: "invalid_option",
        message: /other options \(type, steps differ\)/,
      });
    }
  });
});

async function hearing<T>(
  weights: ReadonlyMap<string, Float32Array>,
  { type, scale }: { type: HeadType; scale: ReturnType<typeof scaleOf> },
  use: (one: HeadHearing) => Promise<T>,
): Promise<T> {
  const shape = { type, width: WIDTH, hidden: 16, labels: 2 };
  const graph = headGraph(weights, { shape, scale, every: 2, output: "x", given: 1 });
  const spec = headSpecSchema.parse({
    input: "context",
    every: 2,
    features: "0".repeat(64),
    state: type === "gru" ? [{ name: "h", shape: [16] }] : [],
    outputs: [{ name: "x", shape: [1] }],
  });
  const one = await HeadHearing.create(graph, spec);
  try {
    return await use(one);
  } finally {
    await one.dispose();
  }
}

Deno.test("HeadTrainer stops when the held-out loss no longer falls, and keeps the best", () => {
  const head = trainer("mlp", { steps: 100_000, patience: 3, rate: 0.05 });
  toEnd(head, 20_000);
  const { step, bestStep, worse } = head.progress;
  assert.ok(head.isOver && step < 20_000, `it went on to step ${step}`);
  assert.equal(worse, 3);
  assert.equal(bestStep, step - 3 * head.evalSteps);
  assert.notDeepEqual(head.network.weights(), head.best);
  head.dispose();
});

Deno.test("windowsOf() and packed() count each labelled row once, weighted by its label", () => {
  const heard = [recording(1, { rows: 530 }), recording(2, { rows: 90 })];
  const classWeights = balance(heard, 2);
  const scale = scaleOf(heard, WIDTH);
  for (const warmUp of [false, true]) {
    const windows = windowsOf(heard, { warmUp });
    const { weights, labels } = packed(windows, { scale, classWeights });
    for (const label of [0, 1]) {
      const wanted = heard.reduce(
        (sum, one) => sum + one.labels.filter((own) => own === label).length,
        0,
      );
      const counted = weights.filter((weight, i) => weight > 0 && labels[i] === label).length;
      assert.equal(counted, wanted);
      const sum = weights.reduce((sum, weight, i) => sum + (labels[i] === label ? weight : 0), 0);
      assert.ok(Math.abs(sum - 530 * 6 / 7 / 2 - 90 * 6 / 7 / 2) < 2, "labels count alike");
    }
  }
  const order = (step: number) =>
    batchAt(windowsOf(heard, { warmUp: false }), { step, size: 2, seed: 1 });
  const epoch = [...order(0), ...order(1)];
  assert.equal(new Set(epoch).size, 4, "an epoch has every window once");
});

Deno.test("scaleOf() gives mean and deviation, and 1 for a feature that never changes", () => {
  const data = Float32Array.of(1, 7, 3, 7);
  const heard = { path: "", group: "", data, labels: new Int32Array(2), rows: 2 };
  const { mean, deviation } = scaleOf([heard], 2);
  assert.deepEqual([[...mean], [...deviation]], [[2, 7], [1, 1]]);
});
