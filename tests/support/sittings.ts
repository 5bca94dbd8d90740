/** Training on a small corpus, as the tests of training do. */
import assert from "node:assert/strict";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import type { TrainingConfig } from "../../training/config.ts";
import { type Corpus, openCorpus } from "../../training/corpus.ts";
import { readDataSet } from "../../training/manifest.ts";
import { withTempFolder, writeCorpus } from "./corpus.ts";
import { sittingOn, type SittingOptions } from "./training.ts";

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
