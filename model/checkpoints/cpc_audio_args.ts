/**
 * The training arguments of facebookresearch/CPC_audio (`checkpoint_args.json`, or `config` of a
 * hub file): the part that describes the architecture.
 */
import { z } from "zod";
import type { Norm } from "../architecture.ts";
import type { ContextHints } from "./parts.ts";
import { refuse, shown } from "./refuse.ts";

const argsSchema = z.looseObject({
  arMode: z.string().optional(),
  cpc_mode: z.string().nullish(),
  encoder_type: z.string().optional(),
  normMode: z.string().optional(),
  hiddenEncoder: z.int().min(1).max(8192).optional(),
  hiddenGar: z.int().min(1).max(8192).optional(),
  nLevelsGRU: z.int().min(1).max(8).optional(),
  rnnMode: z.string().nullish(),
  sizeWindow: z.number().optional(),
  speakerEmbedding: z.number().optional(),
  load: z.union([z.array(z.string()), z.string()]).nullish(),
});

/** The training arguments that matter here. */
export type CpcAudioArgs = z.infer<typeof argsSchema>;

/** What the arguments require of the tensors. What is undefined follows from the tensors. */
export interface CpcAudioHints {
  readonly norm?: Norm;
  readonly channels?: number;
  readonly context: ContextHints;
  readonly rnnMode?: string;
  readonly speakerEmbedding: boolean;
  readonly notes: string[];
}

const NORMS: Record<string, Norm> = { batchNorm: "batch", layerNorm: "channel", ID: "none" };

/** @throws {CpcError} `checkpoint_invalid`, naming the argument at fault */
export function parseCpcAudioArgs(args: unknown): CpcAudioArgs {
  const parsed = argsSchema.safeParse(args);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  return refuse(
    `its training arguments are not CPC_audio's: ${
      path.length > 0 ? shown(path.join(".")) : "the whole"
    }: ${message}`,
  );
}

/**
 * Reads what the arguments say before any tensor is read.
 *
 * @throws {CpcError} `checkpoint_invalid`, naming the reason, when the model cannot be streamed or
 *   is not supported
 */
export function cpcAudioHints(args: CpcAudioArgs): CpcAudioHints {
  const { arMode, cpc_mode, encoder_type, normMode } = args;
  if (encoder_type !== undefined && encoder_type !== "cpc") {
    refuse(
      `its encoder is ${
        shown(encoder_type)
      } (encoder_type); only the convolutional one (cpc) is supported`,
    );
  }
  if (cpc_mode === "reverse") {
    refuse(
      "its context network runs backwards, from the last frame to the first (cpc_mode " +
        "reverse), which cannot be streamed",
    );
  }
  if (cpc_mode === "bert") {
    refuse(
      "its context network is bidirectional (cpc_mode bert): a frame depends on all audio " +
        "after it, which cannot be streamed",
    );
  }
  if (cpc_mode && cpc_mode !== "none") refuse(`its cpc_mode ${shown(cpc_mode)} is unknown`);
  if (arMode === "transformer") {
    const frames = args.sizeWindow ? ` of ${Math.floor(args.sizeWindow / 160)} frames` : "";
    refuse(
      "its context network is a transformer (arMode transformer): attention over a fixed " +
        `window${frames} cannot be streamed`,
    );
  }
  if (arMode === "no_ar") refuse("it has no context network (arMode no_ar)");
  if (arMode !== undefined && arMode !== "GRU" && arMode !== "LSTM") {
    refuse(`its context network is ${shown(arMode)} (arMode); GRU and LSTM are supported`);
  }
  if (normMode === "instanceNorm") {
    refuse(
      "its encoder has instance norm (normMode instanceNorm): it normalises over the whole " +
        "signal, which cannot be streamed",
    );
  }
  if (normMode !== undefined && !NORMS[normMode]) {
    refuse(`its normMode ${shown(normMode)} is unknown`);
  }
  const shared = {
    rnnMode: args.rnnMode ?? undefined,
    speakerEmbedding: (args.speakerEmbedding ?? 0) > 0,
  };
  // then its sizes are those of the checkpoint it began from
  if (args.load && args.load.length > 0) {
    const note =
      "it was trained on from another checkpoint (load): sizes were read from its tensors, " +
      "not from its arguments";
    return { ...shared, context: {}, notes: [note] };
  }
  return {
    ...shared,
    norm: normMode === undefined ? undefined : NORMS[normMode],
    channels: args.hiddenEncoder,
    context: {
      type: arMode === "GRU" ? "gru" : arMode === "LSTM" ? "lstm" : undefined,
      hidden: args.hiddenGar,
      layers: args.nLevelsGRU,
    },
    notes: [],
  };
}
