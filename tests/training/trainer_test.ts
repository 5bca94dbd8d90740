import assert from "node:assert/strict";
import { join } from "node:path";
import { modelConfigSchema } from "../../model/architecture.ts";
import { Network } from "../../training/network.ts";
import { loadWeights } from "../../model/weights.ts";
import { rateAt } from "../../training/adam.ts";
import { Batches, negativesOf } from "../../training/batches.ts";
import type { TrainingConfig } from "../../training/config.ts";
import { initialTensors } from "../../training/initial_weights.ts";
import { networkLoss } from "../../training/loss.ts";
import { DivergedError, Trainer } from "../../training/trainer.ts";
import { maxDifference } from "../support/golden.ts";
import { tinyConfig } from "../support/models.ts";
import { tinyRun } from "../support/training.ts";
import { sitting, tf, withCorpora } from "../support/sittings.ts";

Deno.test("Trainer takes Adam's step at the schedule's rate, then averages", async () => {
  await withCorpora(async (_, { train }) => {
    const config = tinyRun({ optimizer: { steps: 30, warmup_steps: 4, rate: 0.005 } });
    const trainer = new Trainer(tf, { config, tensors: initialTensors(config.model, 3) });
    const batches = new Batches(train, config);
    const values = (of: ReadonlyMap<string, { dataSync(): ArrayLike<number> }>) =>
      new Map([...of].map(([name, x]) => [name, Float64Array.from(x.dataSync())]));
    const [name, scale, { beta1, beta2 }] = [
      "context.weight_ih_l0",
      "encoder.0.norm.running_var",
      config.optimizer,
    ];
    for (let step = 0; step < 6; step++) {
      const [before, averageBefore] = [
        values(trainer.network.variables),
        values(trainer.averaged.variables),
      ];
      await trainer.train(batches.at(step));
      const [{ rate }] = await trainer.reports();
      assert.equal(rate, rateAt(step, config.optimizer));
      const [after, average] = [
        values(trainer.network.variables),
        values(trainer.averaged.variables),
      ];
      const { mean, square } = trainer.adam.moments.get(name)!;
      const [m, v] = [mean.dataSync(), square.dataSync()];
      const moved = before.get(name)!.map((x, i) => {
        const [first, second] = [
          m[i] / (1 - beta1 ** (step + 1)),
          v[i] / (1 - beta2 ** (step + 1)),
        ];
        return x - rate * first / (Math.sqrt(second) + 1e-8 / Math.sqrt(1 - beta2 ** (step + 1)));
      });
      assert.ok(maxDifference(after.get(name)!, moved) < 1e-5, `step ${step}`);
      const decay = Math.min(0.9, (1 + step) / (10 + step));
      for (const part of [name, scale]) {
        const wanted = averageBefore.get(part)!.map((x, i) =>
          decay * x + (1 - decay) * after.get(part)![i]
        );
        assert.ok(maxDifference(average.get(part)!, wanted) < 1e-6, `${part} of step ${step}`);
        assert.ok(maxDifference(after.get(part)!, average.get(part)!) > 1e-4);
      }
    }
    trainer.dispose();
  });
});

Deno.test("Trainer's loss is the network's, by negatives of batch and voice", async () => {
  await withCorpora(async (_, { train }) => {
    const config = tinyRun();
    const tensors = initialTensors(config.model, 3);
    const trainer = new Trainer(tf, { config, tensors });
    const { samples, seed } = new Batches(train, config).at(0);
    const network = new Network(tf, { config: config.model, tensors });
    const windows = [tf.tensor2d(samples, [4, 3200])];
    const nce = (negatives: TrainingConfig["negatives"]) => {
      const rows = negativesOf({ windows: 4, voices: 2, frames: 20 }, { negatives, seed });
      const each = tf.tidy(() =>
        networkLoss(tf, network, { windows, negatives: rows, training: true }).nce.arraySync()
      ) as number[];
      return each.reduce((sum, x) => sum + x, 0) / each.length;
    };
    await trainer.train({ samples, seed });
    const [{ nce: found }] = await trainer.reports();
    assert.ok(Math.abs(found - nce(config.negatives)) < 1e-5);
    assert.ok(Math.abs(found - nce({ batch: 12, voice: 0 })) > 1e-3);
    tf.dispose(windows);
    network.dispose();
    trainer.dispose();
  });
});

Deno.test("Trainer learns a repeated batch, and reports each step once", async () => {
  await withCorpora(async (_, { train }) => {
    const config = tinyRun({ optimizer: { steps: 60, warmup_steps: 5, rate: 0.01 } });
    const trainer = new Trainer(tf, { config, tensors: initialTensors(config.model, config.seed) });
    const batch = new Batches(train, config).at(0);
    assert.deepEqual(await trainer.reports(), []);
    for (let step = 0; step < 60; step++) await trainer.train(batch);
    const reports = await trainer.reports();
    assert.deepEqual(reports.map(({ step }) => step), reports.map((_, i) => i + 1));
    assert.deepEqual(await trainer.reports(), []);
    const nce = reports.map(({ nce }) => nce);
    assert.ok(nce[59] < Math.log(17) - 0.5 && nce[59] < nce[5], nce.join(" ")); // 17 candidates
    trainer.dispose();
  });
});

Deno.test("Trainer of a model with a reversed network trains both", async () => {
  await withCorpora(async (folder, corpora) => {
    const model = modelConfigSchema.parse({
      ...tinyConfig,
      encoder: tinyConfig.encoder.map((layer, i) =>
        i === 4 ? { ...layer, residual_blocks: 1 } : layer
      ),
      reverse: {
        context: { type: "gru", hidden: 5, layers: 1 },
        predictors: { steps: 3, type: "linear" },
      },
    });
    const config = tinyRun({
      model,
      augment: { past_noise_snr_db: [10, 30] },
      average: 0,
      optimizer: { steps: 2, warmup_steps: 0 },
    });
    await sitting(folder, config, corpora);
    const [before, after] = [
      initialTensors(model, config.seed),
      (await loadWeights(join(folder, "weights"))).tensors,
    ];
    for (const [name, { data }] of before) {
      const largest = data.reduce(
        (max, x, i) => Math.max(max, Math.abs(x - after.get(name)!.data[i])),
        0,
      );
      assert.ok(largest > (name.endsWith("running_mean") ? 1e-7 : 1e-4), `${name} was not trained`);
    }
  });
});

Deno.test("Trainer refuses to go on from a loss that is no number", async () => {
  await withCorpora(async (_, { train }) => {
    const config = tinyRun();
    const trainer = new Trainer(tf, { config, tensors: initialTensors(config.model, 1) });
    const batch = new Batches(train, config).at(0);
    const trained = () =>
      [...trainer.network.trainable].map(([name, variable]) => [name, variable.dataSync()]);
    const before = trained();
    await assert.rejects(
      trainer.train({ ...batch, samples: batch.samples.slice().fill(NaN) }),
      DivergedError,
    );
    assert.deepEqual(trained(), before);
    assert.equal(trainer.step, 0);
    trainer.dispose();

    const headed = new Trainer(tf, {
      config: tinyRun({ head: "transformer" }),
      tensors: initialTensors(config.model, 1),
    });
    await headed.train(batch);
    const [{ headNce = NaN, nce }] = await headed.reports();
    assert.ok(headNce > 0 && Math.abs(headNce - nce) > 1e-3);
    const wide = headed.head!.variables.get("wide.weight")!;
    tf.tidy(() => wide.assign(tf.mul(wide, NaN)));
    const kept = headed.network.trainable.get("context.weight_ih_l0")!.dataSync();
    // though the model's own predictors are well
    await assert.rejects(headed.train(batch), /the loss of step 1 is NaN/);
    assert.deepEqual(headed.network.trainable.get("context.weight_ih_l0")!.dataSync(), kept);
    headed.dispose();
  });
});
