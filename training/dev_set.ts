/** InfoNCE on windows that training never sees, with the same windows and negatives every time. */
import { offlineFrames } from "../model/architecture.ts";
import { type ObjectiveFigures, overall } from "../model/objective.ts";
import { hashOf } from "../model/seeded.ts";
import type { Tensor2D, Tf } from "../model/tfjs/layers.ts";
import type { Network } from "./network.ts";
import { Batches, negativesOf } from "./batches.ts";
import { networkLoss } from "./loss.ts";
import type { TrainingConfig } from "./config.ts";
import type { Corpus } from "./corpus.ts";

/** How many windows pass the encoder at once. */
const AT_ONCE = 8;

/** Held-out windows. */
export class DevSet {
  readonly #samples: Float32Array;
  /** Digest of the recordings from which they are drawn. */
  readonly digest: string;
  readonly #config: TrainingConfig;

  /**
   * @param corpus holds only held-out speakers
   * @throws {CpcError} `invalid_option` when it lacks the configured sources
   */
  constructor(corpus: Corpus, config: TrainingConfig) {
    const { windows, sources, seed: ofWindows } = config.dev;
    const weights = sources && Object.fromEntries(sources.map((source) => [source, 1]));
    const still = {
      level_db: config.augment.level_db,
      gain_db: 0,
      speed: [1, 1] as [number, number],
    };
    const batch = { ...config.batch, voices: windows, windows_per_voice: 1 };
    const seed = hashOf(ofWindows, "dev");
    this.#config = { ...config, seed, data: { weights }, augment: still, batch };
    const names = { corpus: "held-out data", member: "dev.sources" };
    const batches = new Batches(corpus, this.#config, names);
    this.#samples = batches.at(0).samples;
    this.digest = batches.digest;
  }

  /** Figures of a network, with batch norms as in serving. */
  async measure(tf: Tf, network: Network): Promise<ObjectiveFigures> {
    const { dev: { windows, negatives }, batch: { window_samples: length }, seed, model } =
      this.#config;
    const frames = offlineFrames(model, length);
    const rows = negativesOf({ windows, voices: windows, frames }, {
      negatives: { batch: negatives, voice: 0 },
      seed,
    });
    const figures = tf.tidy(() => {
      const parts: Tensor2D[] = [];
      for (let at = 0; at < windows; at += AT_ONCE) {
        const count = Math.min(AT_ONCE, windows - at);
        parts.push(
          tf.tensor2d(this.#samples.subarray(at * length, (at + count) * length), [count, length]),
        );
      }
      const { nce, accuracy } = networkLoss(tf, network, { windows: parts, negatives: rows });
      return [nce, accuracy];
    });
    const [nces, accuracies] = await Promise.all(figures.map((x) => x.array()))
      .finally(() => tf.dispose(figures));
    return overall(nces.map((nce, i) => ({ k: i + 1, nce, accuracy: accuracies[i] })));
  }
}
