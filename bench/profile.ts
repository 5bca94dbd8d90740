/** Where a step's time goes, in this process: from audio in a queue to bytes for the sockets. */
import type { StepResult } from "../inference/messages.ts";
import { StepLoop } from "../inference/worker/step_loop.ts";
import type { Engine, StepInput } from "../model/engine.ts";
import { createEngine } from "../model/engines/create.ts";
import { OnnxRecurrence } from "../model/engines/onnx_recurrence.ts";
import type { Weights } from "../model/weights.ts";
import { encodeBinary } from "../streaming/protocol/frames.ts";
import { median } from "./statistics.ts";

const WANT = { context: true, latent: false, prediction: [], score: [], every: 1 } as const;

/** The parts of a step of one hop, in ms. */
export interface ProfileRow {
  readonly streams: number;
  /** Choosing the streams; copies of their audio, masks and states. */
  readonly gather: number;
  /** The engine: encoder and context network. */
  readonly engine: number;
  /** Of that, the context network, measured by itself on as many streams. */
  readonly recurrence: number;
  /** States checked and put back, wanted rows gathered. */
  readonly scatter: number;
  /** The step's message to the thread of the sockets. */
  readonly post: number;
  /** Its rows as binary messages, one per stream. */
  readonly encode: number;
}

/** Notes when the engine's step begins and ends. */
function timed(engine: Engine, marks: number[]): Engine {
  return {
    kind: engine.kind,
    backend: engine.backend,
    device: engine.device,
    precision: engine.precision,
    layout: engine.layout,
    maxRows: engine.maxRows,
    async step(input: StepInput) {
      marks.push(performance.now());
      const output = await engine.step(input);
      marks.push(performance.now());
      return output;
    },
    predict: (hidden) => engine.predict(hidden),
    dispose: () => engine.dispose(),
  };
}

/** Profiles steps of these numbers of live streams: medians of `steps` steps. */
export async function benchProfile(
  weights: Weights,
  { streams: sizes, steps = 100 }: { streams: readonly number[]; steps?: number },
): Promise<ProfileRow[]> {
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const network = await OnnxRecurrence.create(weights);
  const rows: ProfileRow[] = [];
  for (const streams of sizes) {
    rows.push(await profile(engine, { network, weights, streams, steps }));
  }
  await network.dispose();
  await engine.dispose();
  return rows;
}

async function profile(
  engine: Engine,
  { network, weights, streams, steps }: {
    network: OnnxRecurrence;
    weights: Weights;
    streams: number;
    steps: number;
  },
): Promise<ProfileRow> {
  const { plan, dims, contextFloats } = engine.layout;
  const shape = {
    contextWidth: dims.context,
    latentWidth: dims.latent,
    steps: 0,
    frameSeconds: plan.hopSamples / 16_000,
  };
  const marks: number[] = [];
  let message: { results: StepResult[]; data: Float32Array<ArrayBuffer> } | undefined;
  const loop = new StepLoop(new Map([[weights.id, timed(engine, marks)]]), {
    reports: {
      step(results: StepResult[], data: Float32Array<ArrayBuffer>) {
        message = { results, data };
      },
      reached() {},
      failed: (_, error) => {
        throw error;
      },
    },
  });
  const leases = Array.from({ length: streams }, (_, index) => ({ index, generation: 1 }));
  for (const lease of leases) {
    loop.handle({
      type: "open",
      lease,
      model: weights.id,
      channels: 1,
      priority: "live",
      want: WANT,
      checkpointHops: 0,
    });
  }
  const latent = new Float32Array(streams * dims.latent).fill(0.1);
  const state = new Float32Array(streams * contextFloats);
  const parts: Omit<ProfileRow, "streams">[] = [];
  const warmUps = plan.youngHops + 5;
  for (let n = 0; n < warmUps + steps; n++) {
    for (const lease of leases) {
      const samples = Float32Array.from({ length: plan.hopSamples }, (_, i) => (i % 97 - 48) / 480);
      loop.handle({ type: "audio", lease, samples });
    }
    marks.length = 0;
    const started = performance.now();
    if (!await loop.step()) continue; // a look-ahead longer than a hop
    const ended = performance.now();
    const { results, data } = message!;
    const posted = structuredClone({ results, data }, { transfer: [data.buffer] });
    const received = performance.now();
    for (const { offset, length, ...rest } of posted.results) {
      const rows = posted.data.subarray(offset, offset + length);
      encodeBinary({ ...rest, data: rows }, { shape, dtype: "f32" });
    }
    const encoded = performance.now();
    await network.run(latent, state);
    const recurred = performance.now();
    if (n < warmUps) continue;
    parts.push({
      gather: marks[0] - started,
      engine: marks[1] - marks[0],
      recurrence: recurred - encoded,
      scatter: ended - marks[1],
      post: received - ended,
      encode: encoded - received,
    });
  }
  const middle = (of: (part: Omit<ProfileRow, "streams">) => number) => median(parts.map(of));
  return {
    streams,
    gather: middle(({ gather }) => gather),
    engine: middle(({ engine }) => engine),
    recurrence: middle(({ recurrence }) => recurrence),
    scatter: middle(({ scatter }) => scatter),
    post: middle(({ post }) => post),
    encode: middle(({ encode }) => encode),
  };
}
