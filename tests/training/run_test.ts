import assert from "node:assert/strict";
import { join } from "node:path";
import { CpcError } from "../../errors.ts";
import { modelConfigSchema } from "../../model/architecture.ts";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { Network } from "../../training/network.ts";
import { readSafetensors, writeSafetensors } from "../../model/safetensors.ts";
import { loadWeights } from "../../model/weights.ts";
import { rateAt } from "../../training/adam.ts";
import { Batches, negativesOf } from "../../training/batches.ts";
import type { TrainingConfig } from "../../training/config.ts";
import { type Corpus, openCorpus } from "../../training/corpus.ts";
import { DevSet } from "../../training/dev_set.ts";
import { initialTensors } from "../../training/initial_weights.ts";
import { networkLoss } from "../../training/loss.ts";
import { readDataSet } from "../../training/manifest.ts";
import { lossChart } from "../../training/run.ts";
import { RunFolder } from "../../training/run_folder.ts";
import { DivergedError, Trainer } from "../../training/trainer.ts";
import { maxDifference } from "../support/golden.ts";
import { tinyConfig } from "../support/models.ts";
import { withTempFolder, writeCorpus } from "../support/corpus.ts";
import { sittingOn, type SittingOptions, tinyRun } from "../support/training.ts";

const { tf } = await loadTfjs({ device: "wasm", gradients: true });

async function withCorpora(
  use: (folder: string, corpora: { train: Corpus; dev: Corpus }) => Promise<void> | void,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const data = await readDataSet(await writeCorpus(folder));
    const [train, dev] = [
      await openCorpus(data, { splits: ["train"] }),
      await openCorpus(data, { splits: ["dev"] }),
    ];
    const before = tf.memory().numTensors;
    await use(folder, { train, dev });
    assert.equal(tf.memory().numTensors, before, "tensors were left behind");
  });
}

const sitting = (
  path: string,
  config: TrainingConfig,
  options: Omit<SittingOptions, "config">,
): Promise<number> => sittingOn(tf, path, { config, ...options });

for (const head of ["linear", "transformer"]) {
  Deno.test(`runTraining() with a ${head} head in three sittings ends with the very weights of one`, () =>
    threeSittings(head));
}

async function threeSittings(head: string): Promise<void> {
  await withCorpora(async (folder, corpora) => {
    const augment = head === "linear"
      ? { speed: [0.9, 1.1] }
      : { pitch_semitones: [-1, 1], past_pitch_semitones: [-2, 2] };
    const config = tinyRun({ head, augment });
    const [whole, parts] = [join(folder, "whole"), join(folder, "parts")];
    assert.equal(await sitting(whole, config, corpora), 30);
    assert.equal(await sitting(parts, config, { ...corpora, until: 7 }), 7);
    assert.equal(await sitting(parts, config, { ...corpora, until: 20 }), 20);
    await sitting(parts, config, corpora);
    const state = async (run: string) => {
      // fp32: weights, their average, a head, the moments
      const file = join(run, "checkpoint.safetensors");
      return readSafetensors(await Deno.readFile(file), file);
    };
    const [a, b] = [await state(whole), await state(parts)];
    const kinds = new Set([...a.keys()].map((name) => name.split("/")[0]));
    assert.deepEqual(
      kinds,
      new Set([
        "weights",
        "average",
        ...head === "linear" ? [] : ["head"],
        "adam.mean",
        "adam.square",
      ]),
    );
    assert.deepEqual(b, a);
    const dev = async (run: string) =>
      (await new RunFolder(run).log()).filter(({ dev }) => dev).map(({ step, dev }) => [step, dev]);
    assert.deepEqual(await dev(parts), await dev(whole));
    assert.deepEqual((await dev(whole)).map(([step]) => step), [10, 20, 30]);
  });
}

Deno.test("runTraining() after a crash goes on from the last checkpoint and writes its log lines once", async () => {
  await withCorpora(async (folder, corpora) => {
    const config = tinyRun();
    await sitting(folder, config, { ...corpora, until: 12 });
    const run = new RunFolder(folder);
    const lost = { nce: 9, nce_each: [9, 9, 9], accuracy_each: [0, 0, 0] };
    // written after the checkpoint, then the process died
    await run.append({ step: 14, seconds: 1, dev: lost });
    // in the middle of a line
    await Deno.writeTextFile(join(folder, "log.jsonl"), '{"step":16,"seco', { append: true });
    await sitting(folder, config, corpora);
    const steps = (await run.log()).map(({ step }) => step);
    assert.deepEqual(steps, [10, 20, 20, 30]);
    assert.match(await Deno.readTextFile(join(folder, "loss.svg")), /held-out speakers/);
    const log = await Deno.readTextFile(join(folder, "log.jsonl"));
    await Deno.writeTextFile(join(folder, "log.jsonl"), log.replace('"step":20', '"step":'));
    await assert.rejects(run.log(), /log\.jsonl, line 2 is not a line of a training log/);
  });
});

Deno.test("runTraining() keeps checkpoints on the way, and ends when its time is over", async () => {
  await withCorpora(async (folder, corpora) => {
    const [config, run] = [tinyRun(), new RunFolder(folder)];
    assert.equal(await sitting(folder, config, { ...corpora, seconds: 0 }), 0);
    await assert.rejects(
      sitting(folder, config, { ...corpora, checkpointSeconds: 0, dies: 4 }),
      /died/,
    );
    assert.equal((await run.progress())?.step, 3);
    await assert.rejects(sitting(folder, config, { ...corpora, dies: 6 }), /died/);
    assert.equal((await run.progress())?.step, 3);
  });
});

Deno.test("runTraining() measures the averaged weights on the dev set", async () => {
  await withCorpora(async (folder, corpora) => {
    const config = tinyRun();
    await sitting(folder, config, { ...corpora, until: 10 });
    const trainer = new Trainer(tf, { config, tensors: initialTensors(config.model, 99) });
    await new RunFolder(folder).restore(tf, trainer);
    const dev = new DevSet(corpora.dev, config);
    const [{ nce: average }, { nce: last }] = [
      await dev.measure(tf, trainer.averaged),
      await dev.measure(tf, trainer.network),
    ];
    const [{ dev: logged }] = await new RunFolder(folder).log().then((log) =>
      log.filter(({ dev }) => dev)
    );
    assert.ok(logged && Math.abs(logged.nce - average) < 1e-4, `${logged?.nce} beside ${average}`);
    assert.ok(Math.abs(last - average) > 5e-4, `${last} beside ${average}`);
    trainer.dispose();
  });
});

Deno.test("DevSet hears recordings as they are, whatever is done to those that are trained on, and few at once", async () => {
  await withCorpora(async (_, { dev }) => {
    const config = tinyRun();
    const network = new Network(tf, {
      config: config.model,
      tensors: initialTensors(config.model, 1),
    });
    const measure = (more: Record<string, unknown>) =>
      new DevSet(dev, tinyRun(more)).measure(tf, network);
    assert.deepEqual(
      await measure({ augment: { gain_db: 30, speed: [0.5, 2] } }),
      await measure({ augment: { gain_db: 0 } }),
    );
    assert.notDeepEqual(
      await measure({ dev: { windows: 3, negatives: 16, seed: 2 } }),
      await measure({}),
    );
    const peak = async (windows: number) => {
      const { peakBytes } = await tf.profile(() =>
        measure({ dev: { windows, negatives: 16 } }) as never
      );
      return peakBytes - tf.memory().numBytes;
    };
    const [few, many] = [await peak(8), await peak(64)];
    assert.ok(many < 3 * few, `${few} bytes for 8 windows, ${many} for 64`);
    network.dispose();
  });
});

Deno.test("Trainer takes Adam's step at the schedule's rate, and lets the average follow", async () => {
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
      for (const  of of[name, scale]) {
        const wanted = averageBefore.get(of)!.map((x, i) =>
          decay * x + (1 - decay) * after.get(of)![i]
        );
        assert.ok(maxDifference(average.get(of)!, wanted) < 1e-6, `${of} of step ${step}`);
        assert.ok(maxDifference(after.get(of)!, average.get(of)!) > 1e-4);
      }
    }
    trainer.dispose();
  });
});

Deno.test("Trainer's loss is the network's, against negatives of the batch and of each voice", async () => {
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

Deno.test("Trainer learns a batch that it sees again and again, and reports each step once", async () => {
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

Deno.test("Trainer of a model with a reversed network trains both, with residual blocks and noise on the past too", async () => {
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

const refused = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof CpcError && error.code === code && message.test(error.message);

Deno.test("RunFolder.open() refuses a folder with a run of another configuration, and knows one that lacks new members", async () => {
  await withCorpora(async (folder, corpora) => {
    await sitting(folder, tinyRun(), { ...corpora, until: 1 });
    const run = new RunFolder(folder);
    await assert.rejects(
      run.open(tinyRun({ seed: 2 })),
      refused("invalid_option", /another configuration \(seed differ\)/),
    );
    const file = join(folder, "config.json");
    const older = JSON.parse(await Deno.readTextFile(file));
    delete older.dev.seed;
    await Deno.writeTextFile(file, JSON.stringify(older));
    await run.open(tinyRun());
    await assert.rejects(
      run.open(tinyRun({ dev: { windows: 3, negatives: 16, every_steps: 10, seed: 2 } })),
      /dev differ/,
    );
    await Deno.writeTextFile(file, "{}");
    await assert.rejects(
      run.open(tinyRun()),
      refused("invalid_option", /config\.json is not a training configuration/),
    );
  });
});

Deno.test("runTraining() refuses to go on with other recordings than it began with", async () => {
  await withCorpora(async (folder, corpora) => {
    await sitting(folder, tinyRun(), { ...corpora, until: 1 });
    const others = { train: corpora.dev, dev: corpora.train };
    const why = refused("invalid_option", /began on other recordings: give it those/);
    await assert.rejects(sitting(folder, tinyRun(), others), why);
    await assert.rejects(sitting(folder, tinyRun(), { ...corpora, dev: corpora.train }), why);
    assert.equal(await sitting(folder, tinyRun(), { ...corpora, until: 2 }), 2);
  });
});

Deno.test("RunFolder names a checkpoint that is cut short or is none", async () => {
  await withCorpora(async (folder, corpora) => {
    await sitting(folder, tinyRun(), { ...corpora, until: 1 });
    const file = join(folder, "checkpoint.safetensors");
    const whole = await Deno.readFile(file);
    const run = new RunFolder(folder);
    for (const bytes of [whole.subarray(0, 4), whole.subarray(0, 100), new Uint8Array(99)]) {
      await Deno.writeFile(file, bytes);
      await assert.rejects(run.progress(), refused("weights_invalid", /checkpoint\.safetensors/));
    }
    await Deno.writeFile(file, writeSafetensors(new Map(), { metadata: { step: "some" } }));
    await assert.rejects(
      run.progress(),
      refused("weights_invalid", /checkpoint\.safetensors is not a checkpoint of a run/),
    );
    await Deno.writeFile(file, whole.subarray(0, whole.length - 4));
    await assert.rejects(
      sitting(folder, tinyRun(), corpora),
      refused("weights_invalid", /cut short/),
    );
  });
});

Deno.test("lossChart() draws training and held-out figures", () => {
  const figures = { nce: 3, nce_each: [3], accuracy_each: [0.5] };
  const svg = lossChart([{ step: 10, seconds: 1, dev: figures }, {
    step: 20,
    seconds: 2,
    dev: { ...figures, nce: 2 },
  }]);
  assert.match(svg, /^<svg/);
  assert.match(svg, /InfoNCE during training/);
});
