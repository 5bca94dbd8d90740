/** Training on a small corpus, as the tests of training do. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readSafetensors } from "../../model/safetensors.ts";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import type { TrainingConfig } from "../../training/config.ts";
import { type Corpus, openCorpus } from "../../training/corpus.ts";
import { readDataSet } from "../../training/manifest.ts";
import { withTempFolder, writeCorpus } from "./corpus.ts";
import { RunFolder } from "../../training/run_folder.ts";
import { sittingOn, type SittingOptions, tinyRun } from "./training.ts";

/** TensorFlow.js with gradients, where any machine computes. */
export const { tf } = await loadTfjs({ device: "wasm", gradients: true });

/** Runs a test with a folder, and the corpora that lie in it; no tensor may be left behind. */
export async function withCorpora(
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

/** Trains in a folder. @returns steps done */
export const sitting = (
  path: string,
  config: TrainingConfig,
  options: Omit<SittingOptions, "config">,
): Promise<number> => sittingOn(tf, path, { config, ...options });

/** Asserts that training with this head in three sittings ends as in one. */
export async function threeSittings(head: string): Promise<void> {
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
