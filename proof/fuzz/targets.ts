/** Everything that takes input from outside. */
import type { Target } from "./target.ts";
import { audio } from "./targets/audio.ts";
import { bodies } from "./targets/bodies.ts";
import { checkpoints, pickles } from "./targets/checkpoints.ts";
import { messages, queries } from "./targets/messages.ts";
import { opus } from "./targets/opus.ts";
import { frames, streams } from "./targets/streams.ts";
import { keyFiles, tokens } from "./targets/tokens.ts";
import { config, safetensors } from "./targets/weights.ts";

/** Targets by name. Their shares add up to one. */
export const TARGETS: Readonly<Record<string, Target>> = {
  messages,
  queries,
  streams,
  frames,
  bodies,
  audio,
  opus,
  safetensors,
  pickles,
  checkpoints,
  config,
  tokens,
  "key-files": keyFiles,
};
