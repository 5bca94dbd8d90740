/** Checkpoints that look like voice activity projection on CPC features, and are something else. */
import { refuse } from "../checkpoints/refuse.ts";
import type { StateDict } from "../checkpoints/state_dict.ts";
import { DOWNSAMPLE } from "./network.ts";

/** Prefixes that tell another network, with what it is; the first that is found counts. */
const OTHERS: readonly (readonly [prefix: string, what: string])[] = [
  ["encoder.frame_rate_conv.", "a MaAI model for the Mimi encoder; only CPC encoders are streamed"],
  ["transformer.", "a model of ErikEkstedt/VAP, whose layers are others"],
  ["prompt_head.", "MaAI's vap_prompt, which needs a text's embedding as well"],
  ["prompt_", "MaAI's vap_prompt, which needs a text's embedding as well"],
  ["nod_head.", "MaAI's nod_para, which foresees nods"],
  ["ar_channel_param.", "MaAI's nod_para, which foresees nods"],
  ["task_gpts.", "MaAI's nod_para, which foresees nods"],
  ["gt_head.", "MaAI's nod, which foresees nods"],
  ["self_attention.", "MaAI's nod, which foresees nods"],
  ["bc_head.", "MaAI's bc or bc_2type, which foresees backchannels and exchanges the channels"],
  ["bc_detect_head.", "MaAI's bc, which foresees backchannels and exchanges the channels"],
  ["bc_classifier.", "MaAI's bc_det, which detects backchannels"],
  ["query_va_head.", "MaAI's model for three speakers"],
  ["absent_embedding", "MaAI's model for three speakers"],
];

/** @throws {CpcError} `checkpoint_invalid`, saying what the file is, unless it may be vap */
export function refuseOthers(state: StateDict): void {
  for (const [prefix, what] of OTHERS) {
    if (state.hasUnder(prefix)) {
      refuse(
        `it is ${what} (tensor ${prefix}…); --cpc takes MaAI's vap, vap_mc and their mono forms`,
      );
    }
  }
  if (!state.hasUnder("vap_head.")) {
    refuse(
      state.hasUnder("va_classifier.")
        ? "it is MaAI's vad, which has no vap_head: it tells who speaks, not who will"
        : "it is no model of voice activity projection: there is no vap_head",
    );
  }
  if (!state.hasUnder(`${DOWNSAMPLE}.`)) {
    refuse(
      `it has no ${DOWNSAMPLE}: either it was trained on another encoder, or its encoder's ` +
        "part is in another file",
    );
  }
}
