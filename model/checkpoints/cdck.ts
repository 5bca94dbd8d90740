/** Models of jefflai108/Contrastive-Predictive-Coding-PyTorch: CDCK2, CDCK5 and CDCK6. */
import { refuse } from "./refuse.ts";
import type { Recognised } from "./imported.ts";
import {
  type ContextParts,
  takeContext,
  takeEncoder,
  takePredictors,
  type Tensors,
} from "./parts.ts";
import type { StateDict } from "./state_dict.ts";

/** Where CDCK models keep layer i: an nn.Sequential of convolution, BatchNorm, ReLU. */
export const CDCK_NAMES = {
  conv: (i: number) => `encoder.${3 * i}`,
  norm: (i: number) => `encoder.${3 * i + 1}`,
} as const;

/** Whether these are the tensors of a CDCK model. */
export function isCdck(state: StateDict): boolean {
  return state.hasUnder("encoder.") && (state.hasUnder("gru.") || state.hasUnder("gru1."));
}

/**
 * Reads CDCK2 (one GRU), CDCK5 (a GRU of two layers) or CDCK6 (a second GRU, trained on reversed
 * audio).
 *
 * @throws {CpcError} `checkpoint_invalid`, naming the tensor at fault
 */
export function readCdck(state: StateDict): Omit<Recognised, "skipped"> {
  const tensors: Tensors = new Map();
  const encoder = takeEncoder(state, tensors, { ...CDCK_NAMES, kind: "batch", bias: false });
  const latent = encoder[0]!.channels;
  const parts = (suffix: string, to: string): ContextParts => {
    const context = takeContext(state, tensors, {
      from: `gru${suffix}`,
      to,
      latent,
      hints: { type: "gru" },
    });
    const predictors = takePredictors(state, tensors, {
      from: `Wk${suffix}`,
      to,
      latent,
      hidden: context.hidden,
      bias: true,
    });
    if (!predictors) {
      refuse(`tensor Wk${suffix}.0.weight of shape [${latent},${context.hidden}] is missing`);
    }
    return { context, predictors };
  };
  const double = state.hasUnder("gru1.");
  const forward = parts(double ? "1" : "", "");
  const reverse = double ? parts("2", "reverse.") : undefined;
  state.refuseUntaken();
  return {
    kind: double ? "CDCK6" : forward.context.layers === 1 ? "CDCK2" : "CDCK5",
    config: { encoder, ...forward, ...(reverse && { reverse }) },
    tensors,
    inputScale: {
      value: 32768,
      reason: "CDCK models were trained on unscaled 16-bit sample values, not on ±1",
    },
    notes: reverse
      ? [
        "gru1 is the context that streams; gru2, trained on reversed audio, is kept under reverse.",
      ]
      : [],
  };
}
