/** Pools of model workers, on the CPU. */
import { EnginePool, type PoolOptions } from "../../inference/pool.ts";
import type { Weights } from "../../model/weights.ts";

/** Runs a test with a pool that serves one model, unless the options name others. */
export async function withPoolOf(
  weights: Weights,
  options: Pick<PoolOptions, "workers" | "maxStreams"> & Partial<PoolOptions>,
  use: (pool: EnginePool) => Promise<void> | void,
): Promise<void> {
  const pool = await EnginePool.start({
    models: [weights],
    engine: "onnx",
    device: "cpu",
    precision: "fp32",
    ...options,
  });
  try {
    await use(pool);
  } finally {
    await pool.close();
  }
}
