/**
 * The built-in head `speaker`: how alike a stream's pooled contexts and an enrolled voice are. It
 * needs no training.
 */
import { OnnxBuilder, type Value } from "../engines/onnx_builder.ts";
import { type HeadFile, headSpecSchema } from "./spec.ts";

/** Its name, unless a folder's own head has it. */
export const SPEAKER_HEAD = "speaker";
/** The state that holds the enrolled voice. */
export const VOICE_STATE = "voice";
/** Frames of a row. */
const EVERY = 10;
/**
 * Share of `recent` that a second keeps. Fading like this weighs frames as if 5 s counted alike:
 * (Σ w)² / Σ w² of the weights w.
 */
const KEPT_PER_SECOND = Math.exp(-1 / 2.5);
/** An event's span, in seconds: shorter ones are noise. */
const SPAN_S = 0.5;
/** Less than the square of any sum's length; keeps silence of a zero vector finite. */
const LEAST_SQUARE = 1e-20;

/**
 * The head: states `sum` and `recent`, which fades, of the contexts, and `voice`, all `[C]`;
 * outputs `similarity` and `recent` `[1]`, the cosines of both with the voice.
 *
 * @param options `context`: C; `frameRate`: frames a second; `threshold`: of the event `speaker`,
 *   which there is not without it
 */
export function speakerHead(
  { context: C, frameRate, threshold }: {
    context: number;
    frameRate: number;
    threshold?: number;
  },
): HeadFile {
  const b = new OnnxBuilder();
  const features = b.input("features", ["B", 1, EVERY, C]);
  const [sum, recent, voice] = ["sum", "recent", VOICE_STATE].map((name) =>
    b.input(`state.${name}`, ["B", C])
  ) as [Value, Value, Value];
  const kept = b.constant(Float32Array.of(KEPT_PER_SECOND ** (EVERY / frameRate)), [1]);
  const least = b.constant(Float32Array.of(LEAST_SQUARE), [1]);
  const heard = b.node("ReduceSum", [features, b.ints([1, 2])], { keepdims: 0 }); // [B, C]
  const total = (x: Value, y: Value) =>
    b.node("ReduceSum", [b.node("Mul", [x, y]), b.ints([1])], { keepdims: 1 }); // [B, 1]
  const cosine = (x: Value) =>
    // the voice has length 1
    b.node("Div", [total(x, voice), b.node("Sqrt", [b.node("Max", [total(x, x), least])])]);
  const nextSum = b.node("Add", [sum, heard]);
  const nextRecent = b.node("Add", [b.node("Mul", [recent, kept]), heard]);
  b.output("similarity", cosine(nextSum), ["B", 1]);
  b.output("recent", cosine(nextRecent), ["B", 1]);
  b.output("next.sum", nextSum, ["B", C]);
  b.output("next.recent", nextRecent, ["B", C]);
  b.output(`next.${VOICE_STATE}`, voice, ["B", C]);
  const spec = headSpecSchema.parse({
    input: "context",
    every: EVERY,
    features: "0".repeat(64), // any
    state: ["sum", "recent", VOICE_STATE].map((name) => ({ name, shape: [C] })),
    outputs: ["similarity", "recent"].map((name) => ({ name, shape: [1] })),
    events: threshold === undefined ? [] : [{
      event: SPEAKER_HEAD,
      output: "recent",
      on: threshold,
      off: threshold,
      min_on_s: SPAN_S,
      min_off_s: SPAN_S,
    }],
  });
  return { name: SPEAKER_HEAD, spec, graph: b.encode(), folder: "built in", enrolled: true };
}
