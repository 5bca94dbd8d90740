/** Every command of the project, for its documentation and tests. */
import { BENCH } from "./bench/options.ts";
import { BENCH_PEERS } from "./bench/peers_options.ts";
import type { Command } from "./cli.ts";
import { CONVERT } from "./convert/options.ts";
import { DOCTOR } from "./doctor/options.ts";
import { EMBED } from "./embed/options.ts";
import { EVAL } from "./eval/options.ts";
import { HEAD } from "./head/options.ts";
import { SETUP_ONNX_CUDA, SETUP_TFJS } from "./setup/options.ts";
import { SPEAKER } from "./speaker/options.ts";
import { SPEECH_COMPARE, SPEECH_DATA } from "./speech/options.ts";
import { START } from "./start.ts";
import { TRAIN } from "./train/options.ts";

/** The server first. */
export const COMMANDS: readonly Command[] = [
  START,
  EMBED,
  TRAIN,
  EVAL,
  HEAD,
  SPEAKER,
  SPEECH_DATA,
  SPEECH_COMPARE,
  CONVERT,
  DOCTOR,
  BENCH,
  BENCH_PEERS,
  SETUP_TFJS,
  SETUP_ONNX_CUDA,
];
