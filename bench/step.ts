/**
 * The bare engine step, compared with what the machine can do: a matrix product of the model's own
 * shape, in the same runtime and run.
 */
import { OnnxBuilder } from "../model/engines/onnx_builder.ts";
import { loadOnnxRuntime } from "../model/engines/onnx_runtime.ts";
import { type Engine, type ModelLayout, type StepInput } from "../model/engine.ts";
import type { Weights } from "../model/weights.ts";
import { createEngine } from "../model/engines/create.ts";

/** Floating-point operations; a multiply-add counts twice. */
export function flopsPerHop({ plan, config, dims }: ModelLayout): number {
  const convs = plan.convs.reduce(
    (sum, conv) => sum + 2 * conv.rowsPerHop * conv.kernel * conv.inChannels * conv.outChannels,
    0,
  );
  const { layers, hidden, type } = config.context;
  const gates = type === "gru" ? 3 : 4;
  let context = 0;
  for (let n = 0; n < layers; n++) {
    context += 2 * gates * hidden * ((n === 0 ? dims.latent : hidden) + hidden);
  }
  return convs + context;
}

/** Runs `task` often enough, and returns the median in seconds. */
export async function medianSeconds(
  task: () => Promise<unknown>,
  { warmups = 5, runs = 40 } = {},
): Promise<number> {
  for (let i = 0; i < warmups; i++) await task();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const started = performance.now();
    await task();
    times.push((performance.now() - started) / 1000);
  }
  return times.sort((a, b) => a - b)[runs >> 1];
}

/** FLOP/s of `[256, 4096] · [4096, 512]` in ONNX Runtime on one thread. */
export async function gemmRate(): Promise<number> {
  const [M, K, N] = [256, 4096, 512];
  const ort = await loadOnnxRuntime();
  const b = new OnnxBuilder();
  b.output("y", b.node("MatMul", [b.input("x", [M, K]), b.constant(ramp(K * N), [K, N])]), [M, N]);
  const session = await ort.InferenceSession.create(b.encode(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const x = new ort.Tensor("float32", ramp(M * K), [M, K]);
  const seconds = await medianSeconds(() => session.run({ x }));
  await session.release();
  return 2 * M * K * N / seconds;
}

/** Input of a step of `streams` streams, past their beginning, with `hops` hops each. */
export function stepInput(
  { plan, stateFloats }: ModelLayout,
  { streams, hops }: { streams: number; hops: number },
): StepInput {
  return {
    streams,
    hops,
    samples: ramp(streams * hops * plan.hopSamples),
    state: new Float32Array(streams * stateFloats),
    masks: plan.convs.map((conv) => new Float32Array(streams * hops * conv.rowsPerHop).fill(1)),
  };
}

/** Seconds per step of `streams` streams and `hops` hops each. */
export function stepSeconds(
  engine: Engine,
  { runs, ...shape }: { streams: number; hops: number; runs?: number },
): Promise<number> {
  const input = stepInput(engine.layout, shape);
  return medianSeconds(() => engine.step(input), { runs });
}

/** Seconds of audio that steps with this input compute per second, measured over `roundMs`. */
export async function rateOf(engine: Engine, input: StepInput, roundMs: number): Promise<number> {
  const audioSeconds = input.samples.length / engine.layout.config.sample_rate;
  const started = performance.now();
  let steps = 0;
  let ms = 0;
  do {
    await engine.step(input);
    steps++;
    ms = performance.now() - started;
  } while (ms < roundMs);
  return steps * audioSeconds / (ms / 1000);
}

/**
 * One row of the table: streams per step, the time of a step, and how near that is to the matrix
 * product.
 */
export interface StepRow {
  readonly streams: number;
  readonly hops: number;
  readonly stepMs: number;
  /** Streams that one thread keeps live. */
  readonly liveStreams: number;
  readonly gflops: number;
  /** Share of {@linkcode gemmRate}, measured just before and after. */
  readonly shareOfGemm: number;
}

/** Measures an engine's step on one thread. */
export async function benchStep(
  weights: Weights,
  shapes: readonly [streams: number, hops: number][],
): Promise<StepRow[]> {
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const rows: StepRow[] = [];
  for (const [streams, hops] of shapes) {
    const before = await gemmRate();
    const seconds = await stepSeconds(engine, { streams, hops });
    const gemm = (before + await gemmRate()) / 2;
    const rate = flopsPerHop(engine.layout) * streams * hops / seconds;
    const audioSeconds = streams * hops * engine.layout.plan.hopSamples / 16_000;
    rows.push({
      streams,
      hops,
      stepMs: seconds * 1000,
      liveStreams: audioSeconds / seconds,
      gflops: rate / 1e9,
      shareOfGemm: rate / gemm,
    });
  }
  await engine.dispose();
  return rows;
}

function ramp(length: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => (i % 97 - 48) / 480);
}
