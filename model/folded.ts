/**
 * Convolutions as the fast engines compute them: one matrix product over blocks of a stride, batch
 * norm folded in.
 */
import { type ConvPlan, NORM_EPS } from "./architecture.ts";
import { tensorOf, type Weights } from "./weights.ts";

/** Outputs that are laid out together. */
const TILE = 16;

/** A convolution as a matrix product. */
export interface FoldedConv {
  readonly plan: ConvPlan;
  /** `[blocks · stride · inChannels, outChannels]`: row (tap, channel), the front taps zero */
  readonly weight: Float32Array;
  /** `[outChannels]` */
  readonly bias: Float32Array;
  /** Gain and shift of a ChannelNorm, which cannot be folded. */
  readonly channelNorm?: { readonly gain: Float32Array; readonly shift: Float32Array };
}

/**
 * Lays a convolution out for a matrix product. Batch norm (evaluation) is folded in float64: weight
 * · g, (bias − mean) · g + shift with g = gain / √(variance + eps). `input_scale` is folded into
 * the first layer.
 */
export function foldConv(weights: Weights, plan: ConvPlan): FoldedConv {
  const { inChannels, outChannels, kernel, frontTaps, blocks, stride } = plan;
  const source = tensorOf(weights, `${plan.prefix}.weight`).data; // [out, in, kernel]
  const sourceBias = weights.tensors.get(`${plan.prefix}.bias`)?.data;
  const norm = (part: string) => tensorOf(weights, `${plan.normPrefix}.${part}`).data; // [out]
  const scale = plan.prefix === "encoder.0.conv" ? weights.config.input_scale : 1;
  const batch = plan.norm === "batch"
    ? {
      gain: norm("weight"),
      shift: norm("bias"),
      mean: norm("running_mean"),
      variance: norm("running_var"),
    }
    : undefined;
  const gain = new Float64Array(outChannels).fill(1);
  const bias = Float32Array.from(sourceBias ?? new Float32Array(outChannels));
  if (batch) {
    for (let o = 0; o < outChannels; o++) {
      gain[o] = batch.gain[o]! / Math.sqrt(batch.variance[o]! + NORM_EPS);
      bias[o] = ((sourceBias?.[o] ?? 0) - batch.mean[o]!) * gain[o]! + batch.shift[o]!;
    }
  }
  const weight = new Float32Array(blocks * stride * inChannels * outChannels);
  const width = inChannels * kernel;
  // a few outputs at a time: both arrays stay in the processor's cache
  for (let from = 0; from < outChannels; from += TILE) {
    const to = Math.min(from + TILE, outChannels);
    for (let c = 0; c < inChannels; c++) {
      for (let j = 0; j < kernel; j++) {
        const row = ((frontTaps + j) * inChannels + c) * outChannels;
        const column = c * kernel + j;
        for (let o = from; o < to; o++) {
          weight[row + o] = source[o * width + column]! * gain[o]! * scale;
        }
      }
    }
  }
  if (plan.norm !== "channel") return { plan, weight, bias };
  return { plan, weight, bias, channelNorm: { gain: norm("weight"), shift: norm("bias") } };
}
