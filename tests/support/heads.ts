/** Small heads for tests, as files and as loops in TypeScript that say what they must give. */
import { join } from "node:path";
import { OnnxBuilder, type Value } from "../../model/engines/onnx_builder.ts";
import { DATA_TYPES } from "../../model/engines/onnx_proto.ts";
import { type HeadFile, headSpecSchema } from "../../model/heads/spec.ts";
import { windowOf } from "../../model/vap/attention.ts";

/** A head that tests know: each output is a running sum of features, which fades. */
export interface FadingHead {
  readonly name?: string;
  readonly input?: "context" | "latent";
  readonly channels?: 1 | 2;
  readonly every?: number;
  /** Width of the features. */
  readonly dims: number;
  /** Share of the state that each row keeps. */
  readonly keep?: number;
  /** Of `head.json`, in place of what belongs to the graph. */
  readonly spec?: object;
  /** Its state doubles with every row. */
  readonly grows?: true;
  /** Its state takes the mean over the batch. */
  readonly mixes?: true;
  /** Adds to the graph; gets the features and the output, returns the output. */
  readonly alter?: (graph: OnnxBuilder, values: { features: Value; level: Value }) => Value;
}

const SHA256 = "0".repeat(64);

/**
 * A head with the state `fade` [channels, dims] and the outputs `level` [channels, dims], which is
 * the next state, and `loud` [1], the sigmoid of its sum:
 * fade ← keep · fade + Σ over the row's frames.
 */
export function fadingHead(
  { name = "fading", input = "context", channels = 1, every = 2, dims, keep = 0.75, ...more }:
    FadingHead,
): HeadFile {
  const graph = new OnnxBuilder();
  const features = graph.input("features", ["B", channels, every, dims]);
  const fade = graph.input("state.fade", ["B", channels, dims]);
  const heard = graph.node("ReduceSum", [features, graph.ints([2])], { keepdims: 0 });
  const kept = graph.node("Mul", [fade, graph.constant(Float32Array.of(keep), [1])]);
  const next = graph.node("Add", [kept, heard]); // [B, channels, dims]
  const level = more.alter?.(graph, { features, level: next }) ?? next;
  const all = graph.node("ReduceSum", [level, graph.ints([1, 2])], { keepdims: 0 });
  const loud = graph.node("Sigmoid", [graph.reshape(all, [-1, 1])]);
  graph.output("level", level, ["B", channels, dims]);
  graph.output("loud", loud, ["B", 1]);
  const state = more.grows
    ? graph.node("Concat", [next, next], { axis: 2 })
    : more.mixes
    ? graph.node("Add", [next, graph.node("ReduceMean", [next], { axes: [0], keepdims: 1 })])
    : next;
  graph.output("next.fade", state, ["B", channels, "size"]);
  const spec = headSpecSchema.parse({
    input,
    channels,
    every,
    features: SHA256,
    state: [{ name: "fade", shape: [channels, dims] }],
    outputs: [
      { name: "level", shape: [channels, dims] },
      { name: "loud", shape: [1], labels: ["loud"] },
    ],
    ...more.spec,
  });
  return { name, spec, graph: graph.encode(), folder: name };
}

/** Places of {@linkcode ringHead}'s ring, and how often each row is in it. */
export const RING = { rows: 24, copies: 8 } as const;

/**
 * A head with a row for each frame, a ring of the newest rows (large enough that checkpoints hold
 * only what was appended), and the output `sum` [dims]: of the rows in the ring.
 */
export function ringHead({ name = "ring", dims }: { name?: string; dims: number }): HeadFile {
  const { rows, copies } = RING;
  const width = copies * dims;
  const graph = new OnnxBuilder();
  const features = graph.reshape(graph.input("features", ["B", 1, 1, dims]), [0, 1, dims]);
  const { slot } = windowOf(graph, rows);
  const fresh = graph.node("Concat", Array(copies).fill(features), { axis: 2 }); // [B, 1, width]
  const places = graph.node("Add", [
    graph.reshape(graph.node("Cast", [slot], { to: DATA_TYPES.int64 }), [0, 1, 1]),
    graph.constant(new BigInt64Array(width), [1, 1, width]),
  ]);
  const ring = graph.outputNode("next.rows", "ScatterElements", {
    input: [graph.input("state.rows", ["B", rows, width]), places, fresh],
    shape: ["B", rows, width],
    attributes: { axis: 1 },
  });
  const sums = graph.node("ReduceSum", [ring, graph.ints([1])], { keepdims: 0 }); // [B, width]
  graph.output("sum", graph.slice(sums, { axis: 1, to: dims }), ["B", dims]);
  const spec = headSpecSchema.parse({
    input: "context",
    features: SHA256,
    state: [{ name: "position", shape: [1] }, { name: "rows", shape: [rows, width] }],
    outputs: [{ name: "sum", shape: [dims] }],
  });
  return { name, spec, graph: graph.encode(), folder: name };
}

/** Writes a head's folder. */
export async function writeHead(
  { spec, graph }: HeadFile,
  { folder, features = SHA256 }: { folder: string; features?: string },
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "head.json"), JSON.stringify({ ...spec, features }));
  await Deno.writeFile(join(folder, "head.onnx"), new Uint8Array(graph));
}

/** A row of {@linkcode fadingHead}. */
export interface FadingRow {
  readonly level: readonly number[];
  readonly loud: number;
}

/** The rows that it must give for features `[T, dims]` of each channel. */
export function fadingRows(
  features: readonly ArrayLike<number>[],
  { every, dims, keep = 0.75 }: { every: number; dims: number; keep?: number },
): FadingRow[] {
  const frames = (features[0]?.length ?? 0) / dims;
  const level = new Array<number>(features.length * dims).fill(0);
  return Array.from({ length: Math.floor(frames / every) }, (_, r) => {
    for (let c = 0; c < features.length; c++) {
      for (let d = 0; d < dims; d++) {
        let heard = 0;
        for (let f = r * every; f < (r + 1) * every; f++) heard += features[c][f * dims + d];
        level[c * dims + d] = keep * level[c * dims + d] + heard;
      }
    }
    return { level: [...level], loud: 1 / (1 + Math.exp(-level.reduce((a, b) => a + b, 0))) };
  });
}
