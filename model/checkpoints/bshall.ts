/** Models of bshall/cpc: the CPC-big encoder and LSTM under their own names, without predictors. */
import { type Recognised, UNSCALED } from "./imported.ts";
import { takeContext, takeEncoder, type Tensors } from "./parts.ts";
import type { StateDict } from "./state_dict.ts";

/** Where bshall/cpc keeps layer i and the context network. */
const NAMES = {
  conv: (i: number) => `encoder.conv${i}`,
  norm: (i: number) => `encoder.norm${i}`,
} as const;
const CONTEXT = "context.lstm";

/** Whether these are the tensors of a bshall/cpc model. */
export function isBshall(state: StateDict): boolean {
  return state.hasUnder("encoder.conv0.") || state.hasUnder(`${CONTEXT}.`);
}

/** Reads encoder and LSTM. @throws {CpcError} `checkpoint_invalid`, naming the tensor at fault */
export function readBshall(state: StateDict): Omit<Recognised, "skipped"> {
  const tensors: Tensors = new Map();
  const encoder = takeEncoder(state, tensors, { ...NAMES, kind: "channel", bias: true });
  const context = takeContext(state, tensors, {
    from: CONTEXT,
    latent: encoder[0]!.channels,
    hints: { type: "lstm" },
  });
  state.refuseUntaken();
  return {
    kind: "bshall",
    config: { encoder, context, predictors: null },
    tensors,
    inputScale: UNSCALED,
    notes: [
      "it has no predictions: the project publishes only encoder and context, so latent and " +
      "context are served",
    ],
  };
}
