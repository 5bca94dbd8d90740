/** The cost of heads: the worker's step loop with and without one, in turns. */
import type { Want } from "../inference/messages.ts";
import { StepLoop } from "../inference/worker/step_loop.ts";
import { createEngine } from "../model/engines/create.ts";
import { OnnxBuilder } from "../model/engines/onnx_builder.ts";
import { OnnxHead } from "../model/engines/onnx_head.ts";
import { type HeadFile, headSpecSchema } from "../model/heads/spec.ts";
import type { Weights } from "../model/weights.ts";
import { openStreams } from "./live_loop.ts";
import { median } from "./statistics.ts";

/** One row of the table: medians of steps of one hop per stream, and of neighbouring ratios. */
export interface HeadRow {
  readonly head: string;
  readonly streams: number;
  readonly stepMs: number;
  readonly withHeadMs: number;
  /** (step with the head) / step − 1 */
  readonly onTop: number;
  /** The head's own time; median of steps. */
  readonly usPerRow: number;
}

const WARM_HOPS = 20;

/** A linear head, with a row for each frame: the sigmoid of a sum of weighted contexts. */
export function linearHead({ context: C }: { context: number }): HeadFile {
  const b = new OnnxBuilder();
  const features = b.reshape(b.input("features", ["B", 1, 1, C]), [-1, C]);
  const weight = b.constant(new Float32Array(C).fill(1 / C), [C, 1]);
  b.output("y", b.node("Sigmoid", [b.node("MatMul", [features, weight])]), ["B", 1]);
  const spec = headSpecSchema.parse({
    input: "context",
    features: "0".repeat(64), // any
    outputs: [{ name: "y", shape: [1] }],
  });
  return { name: "linear", spec, graph: b.encode(), folder: "bench" };
}

/**
 * Measures on one thread, for each of the model's heads that hears one channel, and a linear one.
 *
 * @param options `streams`: batch sizes; `steps`: steps of each kind · streams
 */
export async function benchHeads(
  weights: Weights,
  { streams: sizes, steps: wantedSteps = 4000 }: { streams: readonly number[]; steps?: number },
): Promise<HeadRow[]> {
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const { plan, dims } = engine.layout;
  const files = [linearHead(dims), ...weights.heads ?? []].filter(({ spec }) =>
    spec.channels === 1
  );
  const context: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };
  const voice = new Float32Array(dims.context).fill(dims.context ** -0.5);
  const rows: HeadRow[] = [];
  for (const file of files) {
    const head = await OnnxHead.create(file, { dims });
    for (const streams of sizes) {
      const rowUs: number[] = [];
      const loops = [context, { ...context, heads: [file.name], voice }].map((want) => {
        const loop = new StepLoop(new Map([[weights.id, engine]]), {
          heads: new Map([[weights.id, new Map([[file.name, head]])]]),
          reports: {
            step(_results, _data, { heads = [] }) {
              for (const { ms, rows } of heads) rowUs.push(1000 * ms / rows);
            },
            reached() {},
            failed(_lease, error) {
              throw error;
            },
          },
        });
        return openStreams(loop, { model: weights.id, streams, want, hopSamples: plan.hopSamples });
      }) as [(hops: number) => Promise<number>, (hops: number) => Promise<number>];
      for (const take of loops) await take(WARM_HOPS);
      rowUs.length = 0;
      const [plain, beside]: [number[], number[]] = [[], []];
      // a head's rows come every few frames: whole ones are compared
      const { every } = file.spec;
      for (let round = 0; round < Math.max(3, Math.ceil(wantedSteps / streams / every)); round++) {
        const turns = [[plain, loops[0]], [beside, loops[1]]] as const;
        for (const [times, take] of round % 2 === 0 ? turns : turns.toReversed()) {
          let ms = 0;
          for (let hop = 0; hop < every; hop++) ms += await take(1);
          times.push(ms / every);
        }
      }
      rows.push({
        head: file.name,
        streams,
        stepMs: median(plain),
        withHeadMs: median(beside),
        onTop: median(beside.map((ms, i) => ms / plain[i]!)) - 1,
        usPerRow: median(rowUs),
      });
    }
    await head.dispose();
  }
  await engine.dispose();
  return rows;
}
