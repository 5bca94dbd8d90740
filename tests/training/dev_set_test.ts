import assert from "node:assert/strict";
import { Network } from "../../training/network.ts";
import { DevSet } from "../../training/dev_set.ts";
import { initialTensors } from "../../training/initial_weights.ts";
import { tinyRun } from "../support/training.ts";
import { tf, withCorpora } from "../support/sittings.ts";

Deno.test("DevSet hears recordings unaugmented, and few at once", async () => {
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
