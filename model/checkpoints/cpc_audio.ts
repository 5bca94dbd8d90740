/**
 * Models of facebookresearch/CPC_audio: `checkpoint_N.pt` with its arguments, and the hub's
 * `{config, weights}`. The ZeroSpeech baselines are of this kind.
 */
import type { Norm } from "../architecture.ts";
import { type CpcAudioHints, cpcAudioHints, parseCpcAudioArgs } from "./cpc_audio_args.ts";
import { type Recognised, UNSCALED } from "./imported.ts";
import { takeContext, takeEncoder, takePredictors, type Tensors } from "./parts.ts";
import { refuse, shown } from "./refuse.ts";
import type { StateDict } from "./state_dict.ts";

/** Where CPC_audio keeps layer i; every norm is called batchNorm there. */
export const CPC_AUDIO_NAMES = {
  conv: (i: number) => `gEncoder.conv${i}`,
  norm: (i: number) => `gEncoder.batchNorm${i}`,
} as const;
/** Where it keeps the context network, and (in the criterion's own state_dict) the predictors. */
export const CPC_AUDIO_CONTEXT = "gAR.baseNet";
export const CPC_AUDIO_PREDICTORS = "wPrediction.predictors";

/** Whether these are the tensors of CPC_audio's model. */
export function isCpcAudio(state: StateDict): boolean {
  return state.hasUnder("gEncoder.") || state.hasUnder("models.0.gEncoder.");
}

/**
 * Reads the model and, where there is one, its criterion's linear predictors.
 *
 * @param options `args`: the training arguments, as parsed from JSON or from the file itself
 * @throws {CpcError} `checkpoint_invalid`, naming why the model cannot be streamed, or the tensor
 *   at fault
 */
export function readCpcAudio(
  state: StateDict,
  options: { kind: string; args: unknown; criterion?: StateDict },
): Omit<Recognised, "skipped"> & { skipped: string[] } {
  const hints = cpcAudioHints(parseCpcAudioArgs(options.args));
  if (state.hasUnder("models.")) {
    refuse(
      "it is several models side by side (models.0, models.1, …); convert each from its own " +
        "checkpoint",
    );
  }
  if (state.hasUnder("gAR.ARNet.") || state.hasUnder("gAR.netBackward.")) {
    refuse(
      "its context network is bidirectional: a frame depends on all audio after it, which " +
        "cannot be streamed",
    );
  }
  const tensors: Tensors = new Map();
  const encoder = takeEncoder(state, tensors, {
    ...CPC_AUDIO_NAMES,
    kind: hints.norm ?? normOf(state),
    bias: true,
  });
  const latent = encoder[0]!.channels;
  if (hints.channels !== undefined && hints.channels !== latent) {
    refuse(
      `tensor gEncoder.conv0.weight has ${latent} channels, its arguments say ` +
        `${hints.channels} (hiddenEncoder)`,
    );
  }
  if (!state.hasUnder(`${CPC_AUDIO_CONTEXT}.`)) {
    refuse(`it has no recurrent context network (no tensor ${CPC_AUDIO_CONTEXT}.weight_ih_l0)`);
  }
  const context = takeContext(state, tensors, {
    from: CPC_AUDIO_CONTEXT,
    latent,
    hints: hints.context,
  });
  state.refuseUntaken(["gEncoder.", "gAR."]);
  const why = whyNoPredictors(hints, options.criterion);
  const predictors = options.criterion && !why
    ? takePredictors(options.criterion, tensors, {
      from: CPC_AUDIO_PREDICTORS,
      latent,
      hidden: context.hidden,
      bias: false,
    })
    : null;
  if (!why) options.criterion?.refuseUntaken(["wPrediction."]);
  const skipped = [
    ...someOf("tensors", state.untaken),
    ...someOf("criterion tensors", options.criterion?.untaken ?? []),
  ];
  return {
    kind: options.kind,
    config: { encoder, context, predictors },
    tensors,
    inputScale: UNSCALED,
    notes: [
      ...hints.notes,
      ...(why ? [`it has no predictions: ${why}; latent and context are served`] : []),
    ],
    skipped,
  };
}

function someOf(what: string, names: readonly string[]): string[] {
  const [first] = names;
  return first === undefined
    ? []
    : [`${names.length} ${what} (${shown(first)}${names.length > 1 ? ", …" : ""})`];
}

/** Why a model has no predictions; undefined when its predictors are linear. */
function whyNoPredictors(
  hints: CpcAudioHints,
  criterion: StateDict | undefined,
): string | undefined {
  if (!criterion) return "the file has no criterion (cpcCriterion), which holds the predictors";
  if (!criterion.hasUnder("wPrediction.")) {
    return "its criterion has no predictors (a supervised one)";
  }
  if (hints.speakerEmbedding || criterion.hasUnder("speakerEmb.")) {
    return "its predictors take a speaker's embedding as well";
  }
  const first = `${CPC_AUDIO_PREDICTORS}.0.weight`;
  if (
    criterion.has(first) && criterion.shape(first).length === 2 &&
    !criterion.has(`${CPC_AUDIO_PREDICTORS}.0.bias`)
  ) {
    return undefined;
  }
  return `its predictors are not linear (rnnMode ${shown(hints.rnnMode ?? "unknown")})`;
}

/** The norm to which the tensors of layer 0 belong. */
function normOf(state: StateDict): Norm {
  const norm = CPC_AUDIO_NAMES.norm(0);
  if (state.has(`${norm}.running_mean`)) return "batch";
  if (!state.has(`${norm}.weight`)) return "none";
  if (state.shape(`${norm}.weight`).length === 3) return "channel";
  return refuse(
    `its encoder has instance norm (${norm} has no running statistics): it normalises over ` +
      "the whole signal, which cannot be streamed",
  );
}
