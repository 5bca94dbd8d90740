/** The committed checkpoints of voice activity projection, and heads that run without a server. */
import { importCheckpoint } from "../../model/checkpoints/checkpoint.ts";
import { loadOnnxRuntime } from "../../model/engines/onnx_runtime.ts";
import { referenceForward } from "../../model/reference.ts";
import { featuresOf } from "../../model/vap/cpc.ts";
import { vapGraph } from "../../model/vap/graph.ts";
import type { VapNetwork } from "../../model/vap/network.ts";
import { windowRowsOf } from "../../model/vap/rate.ts";
import { readVap } from "../../model/vap/read.ts";
import { statesOf } from "../../model/vap/state.ts";
import type { Weights } from "../../model/weights.ts";
import { type NpyArray, readGolden } from "./golden.ts";

const FIXTURES = new URL("../fixtures/checkpoints/", import.meta.url);

/** What a row answers. */
export const OUTPUTS = ["p_now", "p_future", "vad"] as const;
/** How far probabilities may be from the original's. */
export const TOLERANCE = 1e-4;

/** A committed checkpoint with what the original answered. */
export interface VapFixture {
  readonly vap: string;
  readonly cpc: string;
  readonly contextSeconds: number;
  readonly every: number;
  /** 16 kHz, one for each channel. */
  readonly samples: readonly Float32Array<ArrayBuffer>[];
  /** `c` `[channels, frames, C]` and each of {@linkcode OUTPUTS} `[rows, channels]`. */
  readonly expected: ReadonlyMap<string, NpyArray>;
  readonly network: VapNetwork;
  readonly windowRows: number;
  /** The CPC network. */
  readonly weights: Weights;
}

/** Names for {@linkcode vapFixture}. */
export const VAP_FIXTURES = ["vap_50hz", "vap_mono_10hz", "vap_20hz"] as const;

/** Reads one of {@linkcode VAP_FIXTURES}. */
export function vapFixture(name: typeof VAP_FIXTURES[number]): VapFixture {
  const folder = new URL(`${name}/`, FIXTURES);
  const file = (path: string) => new URL(path, folder).pathname;
  const facts = JSON.parse(Deno.readTextFileSync(file("case.json")));
  const interleaved = new Float32Array(Deno.readFileSync(file("input.f32")).buffer);
  const { network } = readVap(Deno.readFileSync(file("vap.pt")));
  const cpc = featuresOf(importCheckpoint(Deno.readFileSync(file("cpc.pt"))), {
    sizes: network.sizes,
    liveAlignment: false,
  });
  return {
    vap: file("vap.pt"),
    cpc: file("cpc.pt"),
    contextSeconds: facts.context_seconds,
    every: facts.every,
    samples: Array.from(
      { length: facts.channels },
      (_, c) => interleaved.filter((_, i) => i % facts.channels === c),
    ),
    expected: readGolden(new URL("expected.npz", folder).href),
    network,
    windowRows: windowRowsOf(network.sizes, facts.context_seconds),
    weights: { id: name, ...cpc },
  };
}

/** The features of rows: `[channels, K, C]` each, by the reference. */
export function featureRows({ weights, samples, every }: VapFixture): Float32Array<ArrayBuffer>[] {
  const contexts = samples.map((one) => referenceForward(weights, one).context);
  const width = every * contexts[0].width; // K · C
  return Array.from({ length: Math.floor(contexts[0].frames / every) }, (_, r) => {
    const row = new Float32Array(contexts.length * width);
    contexts.forEach(({ data }, c) =>
      row.set(data.subarray(r * width, (r + 1) * width), c * width)
    );
    return row;
  });
}

/** States by name, `[B, …]`. */
export type States = Record<string, Float32Array<ArrayBuffer>>;
/** Answers by output, `[B, channels]`. */
export type Answers = Record<typeof OUTPUTS[number], Float32Array<ArrayBuffer>>;

/** A head in ONNX Runtime. */
export interface RunningVap extends AsyncDisposable {
  /** States of B dialogues that have not begun. */
  readonly begin: (dialogues: number) => States;
  /**
   * A row of B dialogues.
   *
   * @param features `[B, channels, K, C]`
   * @param to where the next states go; may be `from`
   */
  readonly step: (
    features: Float32Array<ArrayBuffer>,
    options: { from: States; to: States },
  ) => Promise<Answers>;
}

/** Loads the graph of a network. */
export async function runVap(network: VapNetwork, windowRows: number): Promise<RunningVap> {
  const ort = await loadOnnxRuntime();
  const { channels, every, features: C } = network.sizes;
  const states = statesOf(network.sizes, windowRows);
  const session = await ort.InferenceSession.create(vapGraph(network, { windowRows }), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const tensor = (data: Float32Array, dims: number[]) => new ort.Tensor("float32", data, dims);
  const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  return {
    begin: (dialogues) =>
      Object.fromEntries(
        states.map(({ name, shape }) => [name, new Float32Array(dialogues * sizeOf(shape))]),
      ),
    step: async (features, { from, to }) => {
      const B = features.length / (channels * every * C);
      const answers: Answers = {
        p_now: new Float32Array(B * channels),
        p_future: new Float32Array(B * channels),
        vad: new Float32Array(B * channels),
      };
      const side = (prefix: string, values: States) =>
        states.map(({ name, shape }) =>
          [`${prefix}.${name}`, tensor(values[name], [B, ...shape])] as const
        );
      await session.run({
        features: tensor(features, [B, channels, every, C]),
        ...Object.fromEntries(side("state", from)),
      }, {
        ...Object.fromEntries(OUTPUTS.map((name) => [name, tensor(answers[name], [B, channels])])),
        ...Object.fromEntries(side("next", to)),
      });
      return answers;
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}
