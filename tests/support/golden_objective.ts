/** What PyTorch recorded of the objective, and the features of its windows. */
import { z } from "zod";
import { createEngine } from "../../model/engines/create.ts";
import type { Weights } from "../../model/weights.ts";
import { fixtureSamples } from "./golden.ts";
import { stepTogether, TestStream } from "./stream.ts";

const window = z.object({ wav: z.string(), start: z.int() });
const common = {
  name: z.string(),
  model: z.string(),
  windows: z.array(window),
  window: z.int(),
  frames: z.int(),
  file: z.string(),
};
/** The recorded cases of the objective. */
export const OBJECTIVE_CASES = z.object({
  objective: z.array(z.object({
    ...common,
    t: z.union([z.int(), z.literal("all")]),
    reverse: z.string().nullable(),
    nce: z.number(),
    accuracy: z.number(),
    fp32_vs_fp64: z.object({ accuracy_k: z.number() }),
  })),
  negatives: z.array(z.object({
    ...common,
    shared: z.boolean(),
    nce: z.number(),
    fp32_vs_fp64: z.object({ accuracy_k: z.number() }),
  })),
}).parse(
  JSON.parse(Deno.readTextFileSync(new URL("../fixtures/golden/index.json", import.meta.url))),
);

export interface Features {
  /** `[N, T, Z]`, `[N, T, C]` of the last layer, `[N, T, K, Z]` */
  readonly latent: Float64Array;
  readonly predictions: Float64Array;
}

/** What was computed: many cases differ in t alone. */
const known = new Map<string, Promise<Features>>();

/** All windows of a case, as streams side by side. */
export function caseFeatures(
  weights: Weights,
  windows: readonly z.infer<typeof window>[],
  { samples, backwards = false }: { samples: number; backwards?: boolean },
): Promise<Features> {
  const key = JSON.stringify([weights.id, windows, samples, backwards]);
  const features = known.get(key) ?? computed(weights, windows, { samples, backwards });
  known.set(key, features);
  return features;
}

async function computed(
  weights: Weights,
  windows: readonly z.infer<typeof window>[],
  { samples, backwards }: { samples: number; backwards: boolean },
): Promise<Features> {
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const streams = windows.map(({ wav, start }) => {
    const stream = new TestStream(engine);
    const heard = fixtureSamples(wav, { start, samples });
    stream.queue.push(backwards ? heard.reverse() : heard);
    stream.queue.finish();
    return stream;
  });
  for (let left = streams[0].queue.hopsReady; left > 0; left = streams[0].queue.hopsReady) {
    await stepTogether(engine, streams, streams[0].queue.young ? 1 : Math.min(8, left));
  }
  const hidden = Float32Array.from(streams.flatMap((stream) => stream.hidden));
  const predictions = Float64Array.from(await engine.predict(hidden));
  await engine.dispose();
  return { latent: Float64Array.from(streams.flatMap((stream) => stream.latent)), predictions };
}

/** The largest magnitude, at least 1: what tolerances are relative to. */
export const scale = (values: ArrayLike<number>) =>
  Array.from(values).reduce((max, x) => Math.max(max, Math.abs(x)), 1);
