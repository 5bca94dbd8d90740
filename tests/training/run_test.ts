import assert from "node:assert/strict";
import { join } from "node:path";
import { CpcError } from "../../errors.ts";
import { modelConfigSchema } from "../../model/architecture.ts";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { readSafetensors } from "../../model/safetensors.ts";
import { loadWeights } from "../../model/weights.ts";
import { Batches } from "../../training/batches.ts";
import { type TrainingConfig, trainingConfigSchema } from "../../training/config.ts";
import { type Corpus, openCorpus } from "../../training/corpus.ts";
import { DevSet } from "../../training/dev_set.ts";
import { initialTensors } from "../../training/initial_weights.ts";
import { readDataSet } from "../../training/manifest.ts";
import { lossChart, runTraining } from "../../training/run.ts";
import { RunFolder } from "../../training/run_folder.ts";
import { DivergedError, Trainer } from "../../training/trainer.ts";
import { tinyConfig } from "../support/models.ts";
import { withTempFolder, writeCorpus } from "../support/corpus.ts";

const { tf } = await loadTfjs({ device: "wasm", gradients: true });

const tinyRun = (more: Record<string, unknown> = {}): TrainingConfig =>
  trainingConfigSchema.parse({
    model: tinyConfig,
    batch: { voices: 2, windows_per_voice: 2, window_samples: 3200 },
    negatives: { batch: 12, voice: 4 },
    augment: { speed: [0.9, 1.1] },
    optimizer: { steps: 30, warmup_steps: 2, rate: 0.005 },
    average: 0.9,
    dev: { windows: 3, negatives: 16, every_steps: 10 },
    ...more,
  });

async function withCorpora(
  use: (folder: string, corpora: { train: Corpus; dev: Corpus }) => Promise<void> | void,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const data = await readDataSet(await writeCorpus(folder));
    const [train, dev] = [await openCorpus(data, { splits: ["train"] }), await openCorpus(data, { splits: ["dev"] })];
    const before = tf.memory().numTensors;
    await use(folder, { train, dev });
    assert.equal(tf.memory().numTensors, before, "tensors were left behind");
  });
}

/** Trains in a folder until a step (as a signal would) or the end. */
async function sitting(
  path: string,
  config: TrainingConfig,
  { train, dev, until = Infinity }: { train: Corpus; dev: Corpus; until?: number },
): Promise<number> {
  const folder = new RunFolder(path);
  await folder.open(config);
  const trainer = new Trainer(tf, { config, tensors: initialTensors(config.model, config.seed) });
  const stop = new AbortController();
  try {
    return await runTraining(tf, {
      trainer,
      batches: new Batches(train, config),
      dev: new DevSet(dev, config),
      folder,
      signal: stop.signal,
      show: (step) => step >= until && stop.abort(),
    });
  } finally {
    trainer.dispose();
  }
}

for (const head of ["linear", "transformer"]) {
  Deno.test(`runTraining() with a ${head} head in three sittings ends with the very weights of one`, () => threeSittings(head));
}

async function threeSittings(head: string): Promise<void> {
  await withCorpora(async (folder, corpora) => {
    const augment = head === "linear" ? { speed: [0.9, 1.1] } : { pitch_semitones: [-1, 1], past_pitch_semitones: [-2, 2] };
    const config = tinyRun({ head, augment });
    const [whole, parts] = [join(folder, "whole"), join(folder, "parts")];
    assert.equal(await sitting(whole, config, corpora), 30);
    assert.equal(await sitting(parts, config, { ...corpora, until: 7 }), 7);
    assert.equal(await sitting(parts, config, { ...corpora, until: 20 }), 20);
    await sitting(parts, config, corpora);
    const state = async (run: string) => {
      const file = join(run, "checkpoint.safetensors"); // fp32: weights, their average, a head, the moments
      return readSafetensors(await Deno.readFile(file), file);
    };
    const [a, b] = [await state(whole), await state(parts)];
    const kinds = new Set([...a.keys()].map((name) => name.split("/")[0]));
    assert.deepEqual(kinds, new Set(["weights", "average", ...head === "linear" ? [] : ["head"], "adam.mean", "adam.square"]));
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
    await run.append({ step: 14, seconds: 1, dev: lost }); // written after the checkpoint, then the process died
    await Deno.writeTextFile(join(folder, "log.jsonl"), '{"step":16,"seco', { append: true }); // in the middle of a line
    await sitting(folder, config, corpora);
    const steps = (await run.log()).map(({ step }) => step);
    assert.deepEqual(steps, [10, 20, 20, 30]);
    assert.match(await Deno.readTextFile(join(folder, "loss.svg")), /held-out speakers/);
    const log = await Deno.readTextFile(join(folder, "log.jsonl"));
    await Deno.writeTextFile(join(folder, "log.jsonl"), log.replace('"step":20', '"step":'));
    await assert.rejects(run.log(), /log\.jsonl, line 2 is no line of a training log/);
  });
});

Deno.test("Trainer learns a batch that it sees again and again", async () => {
  await withCorpora((_, { train }) => {
    const config = tinyRun({ optimizer: { steps: 60, warmup_steps: 5, rate: 0.01 } });
    const trainer = new Trainer(tf, { config, tensors: initialTensors(config.model, config.seed) });
    const batch = new Batches(train, config).at(0);
    const nce = Array.from({ length: 60 }, () => trainer.train(batch).nce);
    assert.ok(nce[59] < Math.log(17) - 0.5 && nce[59] < nce[5], nce.join(" ")); // 17 candidates
    trainer.dispose();
  });
});

Deno.test("Trainer of a model with a reversed network trains both, with residual blocks and noise on the past too", async () => {
  await withCorpora(async (folder, corpora) => {
    const model = modelConfigSchema.parse({
      ...tinyConfig,
      encoder: tinyConfig.encoder.map((layer, i) => i === 4 ? { ...layer, residual_blocks: 1 } : layer),
      reverse: { context: { type: "gru", hidden: 5, layers: 1 }, predictors: { steps: 3, type: "linear" } },
    });
    const config = tinyRun({
      model,
      augment: { past_noise_snr_db: [10, 30] },
      average: 0,
      optimizer: { steps: 2, warmup_steps: 0 },
    });
    await sitting(folder, config, corpora);
    const [before, after] = [initialTensors(model, config.seed), (await loadWeights(join(folder, "weights"))).tensors];
    for (const [name, { data }] of before) {
      const largest = data.reduce((max, x, i) => Math.max(max, Math.abs(x - after.get(name)!.data[i])), 0);
      assert.ok(largest > (name.endsWith("running_mean") ? 1e-7 : 1e-4), `${name} was not trained`);
    }
  });
});

Deno.test("Trainer refuses to go on from a loss that is no number", async () => {
  await withCorpora((_, { train }) => {
    const config = tinyRun();
    const trainer = new Trainer(tf, { config, tensors: initialTensors(config.model, 1) });
    const batch = new Batches(train, config).at(0);
    const trained = () => [...trainer.network.trainable].map(([name, variable]) => [name, variable.dataSync()]);
    const before = trained();
    assert.throws(() => trainer.train({ ...batch, samples: batch.samples.slice().fill(NaN) }), DivergedError);
    assert.deepEqual(trained(), before);
    assert.equal(trainer.step, 0);
    trainer.dispose();

    const headed = new Trainer(tf, { config: tinyRun({ head: "transformer" }), tensors: initialTensors(config.model, 1) });
    const { headNce = NaN, nce } = headed.train(batch);
    assert.ok(headNce > 0 && Math.abs(headNce - nce) > 1e-3);
    const wide = headed.head!.variables.get("wide.weight")!;
    tf.tidy(() => wide.assign(tf.mul(wide, NaN)));
    const kept = headed.network.trainable.get("context.weight_ih_l0")!.dataSync();
    assert.throws(() => headed.train(batch), /the loss of step 1 is NaN/); // though the model's own predictors are well
    assert.deepEqual(headed.network.trainable.get("context.weight_ih_l0")!.dataSync(), kept);
    headed.dispose();
  });
});

Deno.test("RunFolder.open() refuses a folder with a run of another configuration", async () => {
  await withCorpora(async (folder, corpora) => {
    await sitting(folder, tinyRun(), { ...corpora, until: 1 });
    await assert.rejects(
      new RunFolder(folder).open(tinyRun({ seed: 2 })),
      (error) => error instanceof CpcError && /another configuration \(seed differ\)/.test(error.message),
    );
  });
});

Deno.test("lossChart() draws training and held-out figures", () => {
  const figures = { nce: 3, nce_each: [3], accuracy_each: [0.5] };
  const svg = lossChart([{ step: 10, seconds: 1, dev: figures }, { step: 20, seconds: 2, dev: { ...figures, nce: 2 } }]);
  assert.match(svg, /^<svg/);
  assert.match(svg, /InfoNCE while training/);
});
