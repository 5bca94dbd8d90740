/** From the last layer to probabilities, as ONNX nodes. */
import type { OnnxBuilder, Value } from "../engines/onnx_builder.ts";
import type { Layers } from "./layers.ts";
import { BINS, rowsPerSecond, type VapSizes } from "./network.ts";

/** Ends of the bins, in seconds from now. */
const BIN_ENDS_S = [0.2, 0.6, 1.2, 2] as const;
/** Which bins are now, and which the future. */
const SPANS = [[0, 1], [2, 3]] as const;
/** Keeps a quotient finite. */
const LEAST = 1e-5;

/**
 * Adds the outputs `p_now`, `p_future` and `vad`, `[B, channels]` each.
 *
 * @param x `[B, channels, D]`, what the last layer gave
 */
export function answers(
  b: OnnxBuilder,
  x: Value,
  { layers, sizes }: { layers: Layers; sizes: VapSizes },
): void {
  const { channels } = sizes;
  const flat = (value: Value) => b.reshape(value, [0, channels]);
  const heard = layers.linear(x, "va_classifier"); // [B, channels, 1]
  b.output("vad", b.node("Sigmoid", [flat(heard)]), ["B", channels]);
  const joint = channels === 2 ? combined(b, x, layers) : x;
  const classes = b.node("Softmax", [layers.linear(joint, "vap_head")], { axis: -1 });
  // [B, channels, spans · channels]
  const activity = b.node("MatMul", [classes, activityMatrix(b, sizes)]);
  SPANS.forEach((_, i) => {
    const name = i === 0 ? "p_now" : "p_future";
    if (channels === 1) {
      b.output(name, flat(b.slice(activity, { axis: 2, from: i, to: i + 1 })), ["B", 1]);
      return;
    }
    const row = b.slice(activity, { axis: 1, to: 1 });
    const part = flat(b.slice(row, { axis: 2, from: 2 * i, to: 2 * i + 2 })); // [B, 2]
    const sum = b.node("ReduceSum", [part, b.ints([1])], { keepdims: 1 });
    b.output(name, b.node("Div", [part, layers.add(sum, layers.scalar(LEAST))]), ["B", 2]);
  });
}

/**
 * GELU(LN(h0_a·y₁)) + GELU(LN(h0_b·y₂)), twice: `[B, 2, D]`. Two equal rows cost no more than one.
 */
function combined(b: OnnxBuilder, y: Value, layers: Layers): Value {
  const [rows] = layers.tensor("ar.combinator.h0_a.weight").shape;
  const both = layers.product(y, [
    { name: "ar.combinator.h0_a" },
    { name: "ar.combinator.h0_b" },
  ]); // [B, 2, 2 · D]
  const own = b.node("Gather", [b.reshape(both, [0, 4, rows ?? 0]), b.ints([0, 3])], { axis: 1 });
  const parts = layers.gelu(layers.norm(own, "ar.combinator.ln"));
  return layers.add(parts, layers.exchanged(parts));
}

/** `[classes, spans · channels]`: how much of a span each class makes each speaker speak. */
function activityMatrix(b: OnnxBuilder, sizes: VapSizes): Value {
  const { channels } = sizes;
  const classes = 2 ** (BINS * channels);
  const columns = SPANS.length * channels;
  const matrix = new Float32Array(classes * columns);
  SPANS.forEach((bins, span) => {
    const shares = sharesOf(bins, sizes);
    for (let speaker = 0; speaker < channels; speaker++) {
      bins.forEach((bin, i) => {
        for (let c = 0; c < classes; c++) {
          const speaks = c >> (BINS * speaker + bin) & 1;
          const at = c * columns + span * channels + speaker;
          matrix[at] = (matrix[at] ?? 0) + speaks * (shares[i] ?? 0);
        }
      });
    }
  });
  return b.constant(matrix, [classes, columns]);
}

/** The weight of each bin in its span: 1 for two speakers; for one, its share of the time. */
function sharesOf(bins: readonly number[], sizes: VapSizes): number[] {
  if (sizes.channels === 2) return bins.map(() => 1);
  const boundary = (bin: number) =>
    Math.floor((bin < 0 ? 0 : BIN_ENDS_S[bin] ?? 0) * rowsPerSecond(sizes) + 0.5);
  const rows = bins.map((bin) => boundary(bin) - boundary(bin - 1));
  const all = rows.reduce((sum, n) => sum + n, 0);
  return rows.map((n) => n / all);
}
