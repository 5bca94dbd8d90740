/**
 * Training on WebGPU, held to the backend on the CPU, where an adapter answers; docs/gpu.md has
 * drivers in software. `CPC_TRAIN_STEPS=10000` (a multiple of 200) looks for leaks for longer.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type * as core from "@tensorflow/tfjs-core";
import { modelConfigSchema } from "../../model/architecture.ts";
import { readSafetensors } from "../../model/safetensors.ts";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import { webgpuAdapter } from "../../model/tfjs/webgpu_adapter.ts";
import { Batches } from "../../training/batches.ts";
import { type TrainingConfig, trainingConfigSchema } from "../../training/config.ts";
import { type Corpus, openCorpus } from "../../training/corpus.ts";
import { initialTensors } from "../../training/initial_weights.ts";
import { readDataSet } from "../../training/manifest.ts";
import { DivergedError, type StepReport, Trainer } from "../../training/trainer.ts";
import { withTempFolder, writeCorpus } from "../support/corpus.ts";
import { maxDifference } from "../support/golden.ts";
import { leftOut } from "../support/left_out.ts";
import { sittingOn, tinyRun } from "../support/training.ts";
import { countKernels, type WebgpuMemory, webgpuMemory } from "../support/webgpu_memory.ts";

/** Few and small operations: a driver in software takes a millisecond for each. */
const model = modelConfigSchema.parse({
  sample_rate: 16_000,
  encoder: [
    { kernel: 10, stride: 5, padding: 3, channels: 8, norm: "batch" },
    { kernel: 8, stride: 4, padding: 2, channels: 8, norm: "batch" },
  ],
  context: { type: "gru", hidden: 6, layers: 1 },
  predictors: { steps: 2, type: "linear" },
});
const smallRun = (more: Record<string, unknown> = {}): TrainingConfig =>
  tinyRun({
    model,
    batch: { voices: 2, window_samples: 120 },
    negatives: { batch: 6 },
    average: 0,
    ...more,
  });
/** Of a gradient's largest number: the order of its sums differs. */
const GRADIENT_TOLERANCE = 1e-4;
/** Of the loss over 30 steps, in nats. Drivers in software differ by 4e-7. */
const LOSS_TOLERANCE = 1e-4;
/** How much the process and V8's heap may grow in a thousand steps, and besides. */
const MOST_MB_PER_THOUSAND = 1;
const MOST_RSS_MB = 16;
const MOST_HEAP_MB = 0.5;
/** How often the memory is looked at. */
const LOOKS = 10;
/** Of a step of cpc-base's layers. Each costs the one thread the same, whatever its size. */
const MOST_KERNELS = 350;
/** After so many steps a run reads its figures. */
const READING_STEPS = 20;

const lineOf = ({ counts, heapMB, rssMB, grownRssMB }: WebgpuMemory): string =>
  [
    ...Object.entries(counts).map(([name, count]) => `${name} ${count}`),
    `heap ${heapMB.toFixed(2)} MB`,
    `process ${rssMB.toFixed(0)} MB, ${grownRssMB.toFixed(0)} before garbage was collected`,
  ].join(", ");

/** Every kind of layer that is trained: norms, residual blocks, GRU, LSTM, a reversed network. */
const KINDS: Record<string, Record<string, unknown>> = {
  "batch norms and a GRU, negatives of the voice": {
    batch: { voices: 2, windows_per_voice: 2, window_samples: 160 },
    negatives: { batch: 6, voice: 3 },
  },
  "residual blocks, channel norms and an LSTM": {
    model: modelConfigSchema.parse({
      ...model,
      encoder: model.encoder.map((layer) => ({ ...layer, residual_blocks: 1, norm: "channel" })),
      context: { type: "lstm", hidden: 6, layers: 2 },
    }),
  },
  "a transformer head, and noise on the past": {
    head: "transformer",
    augment: { past_noise_snr_db: [10, 30] },
  },
  "a reversed network": {
    model: modelConfigSchema.parse({
      ...model,
      reverse: {
        context: { type: "gru", hidden: 5, layers: 1 },
        predictors: { steps: 2, type: "linear" },
      },
    }),
  },
};

const adapter = await webgpuAdapter().catch((error: Error) => error);
if (adapter instanceof Error) leftOut("training on webgpu", adapter.message);
else {
  // a step takes ten times as long on SwiftShader as on llvmpipe
  const fallback = /SwiftShader/.test(adapter.name) ? 60 : 1000;
  const STEPS = Number(Deno.env.get("CPC_TRAIN_STEPS") ?? fallback);
  const { tf } = await loadTfjs({ device: "wasm", gradients: true });
  await loadTfjs({ device: "webgpu", gradients: true, awaits: true });

  /** Computes on a backend; no tensor may be left behind. */
  const on = async <T>(backend: string, use: () => Promise<T>): Promise<T> => {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    const result = await use();
    assert.equal(tf.memory().numTensors, before, "tensors were left behind");
    return result;
  };

  const withCorpora = (
    use: (folder: string, corpora: { train: Corpus; dev: Corpus }) => Promise<void>,
  ) =>
    withTempFolder(async (folder) => {
      const data = await readDataSet(await writeCorpus(folder));
      const [train, dev] = [
        await openCorpus(data, { splits: ["train"] }),
        await openCorpus(data, { splits: ["dev"] }),
      ];
      await use(folder, { train, dev });
    });

  const withTrainer = async <T>(
    config: TrainingConfig,
    use: (trainer: Trainer) => Promise<T>,
  ): Promise<T> => {
    const trainer = new Trainer(tf, {
      config,
      tensors: initialTensors(config.model, config.seed),
    });
    try {
      return await use(trainer);
    } finally {
      trainer.dispose();
    }
  };

  for (const [kind, more] of Object.entries(KINDS)) {
    Deno.test(`Trainer on WebGPU has the gradients of WebAssembly: ${kind}`, () =>
      withCorpora(async (_, { train }) => {
        // after one step from zero, a moment of Adam is a share of the gradient; beside it, the
        // statistics that batch norm keeps
        const config = smallRun({ ...more, optimizer: { steps: 30, clip: 1e9 } });
        const gradients = () =>
          withTrainer(config, async (trainer) => {
            await trainer.train(new Batches(train, config).at(0));
            const [{ gradientNorm }] = await trainer.reports();
            const means = new Map<string, Float32Array>();
            for (const [name, { mean }] of trainer.adam.moments) {
              means.set(name, await mean.data<"float32">());
            }
            for (const [name, variable] of trainer.network.variables) {
              if (name.includes(".running_")) means.set(name, await variable.data<"float32">());
            }
            return { gradientNorm, means };
          });
        const wanted = await on("wasm", gradients);
        const got = await on("webgpu", gradients);
        for (const [name, mean] of wanted.means) {
          const largest = mean.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
          const difference = maxDifference(got.means.get(name)!, mean);
          assert.ok(largest > 0, `${name} has no gradient`);
          assert.ok(
            difference <= GRADIENT_TOLERANCE * largest + 1e-7,
            `${name}: |Δ| ${difference} of ${largest}`,
          );
        }
        assert.ok(Math.abs(got.gradientNorm / wanted.gradientNorm - 1) < GRADIENT_TOLERANCE);
      }));
  }

  Deno.test("Trainer on WebGPU has WebAssembly's losses over 30 steps", () =>
    withCorpora(async (_, { train }) => {
      const config = smallRun();
      const batches = new Batches(train, config);
      const run = () =>
        withTrainer(config, async (trainer): Promise<StepReport[]> => {
          for (let step = 0; step < 30; step++) await trainer.train(batches.at(step));
          return await trainer.reports();
        });
      const wanted = await on("wasm", run);
      const got = await on("webgpu", run);
      assert.ok(wanted[29].nce < wanted[0].nce - 0.1, "it learned nothing");
      got.forEach(({ nce, rate }, i) => {
        assert.ok(
          Math.abs(nce - wanted[i].nce) <= LOSS_TOLERANCE,
          `step ${i}: ${nce}, ${wanted[i].nce}`,
        );
        assert.equal(rate, wanted[i].rate);
      });
    }));

  Deno.test("Trainer on WebGPU gives the card as few kernels for 128 frames as for 20", async () => {
    const file = new URL("../../training/configs/cpc-base-gpu.json", import.meta.url);
    const base = JSON.parse(await Deno.readTextFile(file));
    const narrow = modelConfigSchema.parse({
      ...base.model,
      // as cpc-base's, the first layer has more channels than four times its kernel
      encoder: base.model.encoder.map((layer: object) => ({ ...layer, channels: 40 })),
      context: { ...base.model.context, hidden: 8 },
    });
    const stepOf = (frames: number) => {
      const samples = new Float32Array(frames * 160).map((_, i) => Math.sin(i * i));
      const config = trainingConfigSchema.parse({
        ...base,
        model: narrow,
        batch: { ...base.batch, voices: 1, window_samples: frames * 160 },
        negatives: { batch: 8, voice: 0 },
      });
      return withTrainer(config, async (trainer) => {
        const count = await countKernels(() => trainer.train({ samples, seed: 1 }));
        await trainer.reports();
        return count;
      });
    };
    await on("webgpu", async () => {
      const [few, many] = [await stepOf(20), await stepOf(128)];
      assert.ok(many <= MOST_KERNELS, `a step of 128 frames is ${many} kernels`);
      // a product over many rows is split in two
      assert.ok(many - few < 20, `${few} kernels for 20 frames, ${many} for 128`);
    });
  });

  Deno.test("runTraining() on WebGPU in two sittings ends with the very weights of one", () =>
    withCorpora(async (folder, corpora) => {
      const config = smallRun({
        optimizer: { steps: 4, warmup_steps: 2, rate: 0.005 },
        average: 0.9,
      });
      const [whole, parts] = [join(folder, "whole"), join(folder, "parts")];
      await on("webgpu", async () => {
        assert.equal(await sittingOn(tf, whole, { config, ...corpora }), 4);
        assert.equal(await sittingOn(tf, parts, { config, ...corpora, until: 2 }), 2);
        assert.equal(await sittingOn(tf, parts, { config, ...corpora }), 4);
      });
      const [a, b] = await Promise.all([whole, parts].map(async (run) => {
        const file = join(run, "checkpoint.safetensors");
        return readSafetensors(await Deno.readFile(file), file);
      }));
      assert.ok(a.size > 30);
      assert.deepEqual(b, a);
    }));

  Deno.test("Trainer on WebGPU reads once for many steps, and finds a loss of NaN", () =>
    withCorpora(async (_, { train }) => {
      const config = smallRun();
      const batch = new Batches(train, config).at(0);
      await on("webgpu", () =>
        withTrainer(config, async (trainer) => {
          const backend = tf.backend();
          const { read } = backend;
          let reads = 0;
          backend.read = function (id: core.DataId) {
            reads++;
            return read.call(this, id);
          };
          try {
            for (let step = 0; step < 3; step++) await trainer.train(batch);
            assert.equal(reads, 0);
            assert.equal((await trainer.reports()).length, 3);
            assert.equal(reads, 1);
            await trainer.train({ ...batch, samples: batch.samples.slice().fill(NaN) });
            await assert.rejects(trainer.reports(), (error) =>
              error instanceof DivergedError && /of step 3 is NaN/.test(error.message));
          } finally {
            backend.read = read;
          }
        }));
    }));

  Deno.test(`Trainer on WebGPU keeps no memory over ${STEPS} steps`, (test) =>
    withCorpora(async (_, { train }) => {
      const config = smallRun({
        model: {
          ...model,
          encoder: [{ kernel: 8, stride: 4, padding: 2, channels: 8, norm: "batch" }],
          predictors: { steps: 1, type: "linear" },
        },
        batch: { voices: 1, window_samples: 12 },
        negatives: { batch: 2 },
        optimizer: { steps: STEPS },
      });
      const batch = new Batches(train, config).at(0);
      await on("webgpu", () =>
        withTrainer(config, async (trainer) => {
          const looks: WebgpuMemory[] = [];
          const lookSteps = STEPS / LOOKS;
          const readingSteps = Math.min(READING_STEPS, lookSteps);
          for (let step = 1; step <= STEPS; step++) {
            await trainer.train(batch);
            if (step % readingSteps === 0) await trainer.reports();
            if (step % lookSteps !== 0) continue;
            const look = await webgpuMemory(tf);
            looks.push(look);
            // the names of steps are printed, even with --quiet
            await test.step(`${step} steps: ${lineOf(look)}`, () => {
              assert.ok(look.counts.deviceBytesUsed > 0 && look.counts.pipelines > 0);
              assert.equal(look.counts.awaitingDisposal, 0);
              // before, submissions have not yet ended at every point of a step
              if (looks.length > LOOKS / 2) {
                assert.deepEqual(look.counts, looks[LOOKS / 2 - 1].counts);
              }
            });
          }
          // V8 compiles and the allocators grow in the first half
          const [middle, end] = [looks[LOOKS / 2 - 1], looks[LOOKS - 1]];
          const heapMB = end.heapMB - middle.heapMB;
          const rssMB = end.rssMB - middle.rssMB;
          assert.ok(heapMB < MOST_HEAP_MB + MOST_MB_PER_THOUSAND * STEPS / 2000, `${heapMB} MB`);
          assert.ok(rssMB < MOST_RSS_MB + MOST_MB_PER_THOUSAND * STEPS / 2000, `${rssMB} MB`);
        }));
    }));

  Deno.test("deno task train --device webgpu names its adapter; auto leaves software out", () =>
    withTempFolder(async (folder) => {
      const data = await writeCorpus(folder);
      const config = join(folder, "config.json");
      const { optimizer: _, ...run } = smallRun();
      await Deno.writeTextFile(config, JSON.stringify({ ...run, optimizer: { steps: 1 } }));
      const train = async (device: string) => {
        const flags = { data, config, device, out: join(folder, device) };
        const { code, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [
            "task",
            "--quiet",
            "train",
            ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
          ],
          stdout: "null",
          stderr: "piped",
        }).output();
        const said = new TextDecoder().decode(stderr);
        assert.equal(code, 0, said);
        assert.match(said, /1 steps done/);
        return said;
      };
      const named = await train("webgpu");
      assert.ok(named.includes(`training on webgpu (${adapter.name}), products in fp32`), named);
      assert.equal(/a driver in software/.test(named), adapter.inSoftware);
      const auto = await train("auto");
      assert.equal(/webgpu is not used: .* a driver in software/.test(auto), adapter.inSoftware);
    }));
}
