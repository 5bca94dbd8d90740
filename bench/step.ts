/**
 * The bare engine step, compared with what the machine can do: a matrix product of the model's own
 * shape, in the same runtime and run.
 */
import { OnnxBuilder } from "../model/engines/onnx_builder.ts";
import { loadOnnxRuntime } from "../model/engines/onnx_runtime.ts";
import { type Engine, type ModelLayout, type StepInput } from "../model/engine.ts";
import type { Weights } from "../model/weights.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { median } from "./statistics.ts";
import { createEngine } from "../model/engines/create.ts";

/** Floating-point operations; a multiply-add counts twice. */
export function flopsPerHop(
  { plan, config, dims }: Pick<ModelLayout, "plan" | "config" | "dims">,
): number {
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
export async function gemmRate({ runs = 40 } = {}): Promise<number> {
  const [M, K, N] = [256, 4096, 512];
  const ort = await loadOnnxRuntime();
  const b = new OnnxBuilder();
  b.output("y", b.node("MatMul", [b.input("x", [M, K]), b.constant(ramp(K * N), [K, N])]), [M, N]);
  const session = await ort.InferenceSession.create(b.encode(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const x = new ort.Tensor("float32", ramp(M * K), [M, K]);
  const seconds = await medianSeconds(() => session.run({ x }), { runs });
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

/** A precision's part of a row. */
export interface StepFigures {
  readonly stepMs: number;
  /** Streams that one thread keeps live. */
  readonly liveStreams: number;
  /** Floating-point operations of the plain model per second, relative to {@linkcode gemmRate}. */
  readonly shareOfGemm: number;
}

/** One row of the table: what a step takes in each precision, and what denormal samples add. */
export interface StepRow {
  readonly streams: number;
  readonly hops: number;
  readonly fp32: StepFigures;
  readonly int8: StepFigures;
  /** fp32's time over int8's, paired within a round. */
  readonly int8Gain: number;
  /** fp32's time with denormal samples over its time with others, paired within a round. */
  readonly denormals: number;
}

/**
 * Measures the steps of one thread: in each round the matrix product and every engine take turns,
 * and a figure is the median over the rounds.
 */
export async function benchStep(
  weights: Weights,
  { shapes, rounds }: { shapes: readonly [streams: number, hops: number][]; rounds: number },
): Promise<StepRow[]> {
  const options = { device: "cpu", threads: 1 } as const;
  const fp32 = await createEngine("onnx", weights, { ...options, precision: "fp32" });
  const int8 = await createEngine("onnx", weights, { ...options, precision: "int8" });
  const rows: StepRow[] = [];
  for (const [streams, hops] of shapes) {
    const input = stepInput(fp32.layout, { streams, hops });
    const quiet = { ...input, samples: new Float32Array(input.samples.length).fill(1e-40) };
    const seen = { gemm: [], fp32: [], int8: [], quiet: [] } as Record<string, number[]>;
    const runs = { warmups: 2, runs: 11 };
    for (let round = 0; round < rounds; round++) {
      seen.gemm.push(await gemmRate(runs));
      seen.fp32.push(await medianSeconds(() => fp32.step(input), runs));
      seen.int8.push(await medianSeconds(() => int8.step(input), runs));
      seen.quiet.push(await medianSeconds(() => fp32.step(quiet), runs));
    }
    const ratio = (a: number[], b: number[]) => median(a.map((x, round) => x / b[round]));
    const flops = flopsPerHop(fp32.layout) * streams * hops;
    const audioSeconds = streams * hops * fp32.layout.plan.hopSamples / MODEL_SAMPLE_RATE;
    const figures = (seconds: number[]): StepFigures => ({
      stepMs: median(seconds) * 1000,
      liveStreams: audioSeconds / median(seconds),
      shareOfGemm: median(seconds.map((x, round) => flops / x / seen.gemm[round])),
    });
    rows.push({
      streams,
      hops,
      fp32: figures(seen.fp32),
      int8: figures(seen.int8),
      int8Gain: ratio(seen.fp32, seen.int8),
      denormals: ratio(seen.quiet, seen.fp32),
    });
  }
  await fp32.dispose();
  await int8.dispose();
  return rows;
}

function ramp(length: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => (i % 97 - 48) / 480);
}
