/** The command line of `deno task train`. */
import { choice, file, text, whole } from "../../config/kinds.ts";
import { twinned } from "../../config/setting.ts";
import type { Command } from "../cli.ts";

/** The command line. */
export const TRAIN = {
  name: "train",
  about: "Trains a CPC model.",
  usage: "--data PATH --out DIR [flags]",
  settings: twinned("CPC_TRAIN_", {
    data: text({
      value: "PATH",
      required: true,
      help: "manifest (CSV) or folder of recordings",
    }),
    out: text({
      value: "DIR",
      required: true,
      help: "the run's folder; a run in it is continued",
    }),
    config: file({
      fallback: "training/configs/cpc-base.json",
      help: "configuration of the run; see docs/training.md",
    }),
    init: text({ value: "FOLDER", words: "drawn by the seed", help: "initial weights" }),
    cache: text({ value: "DIR", help: "keep decoded recordings there for the next run" }),
    minutes: whole({
      min: 1,
      max: 999_999,
      words: "run to the last step",
      help: "stop after this many minutes; the same command continues",
    }),
    precision: choice(["auto", "fp32", "bf16"], {
      value: "NAME",
      fallback: "auto",
      help: "precision of the encoder's products: fp32, bf16, or auto (bf16 if it is faster)",
    }),
    device: text({
      value: "NAME",
      fallback: "auto",
      help: "gpu (NVIDIA), webgpu (any card), cpu or wasm; auto: the first of these that works",
    }),
  }),
  notes: [
    "Writes into DIR: config.json, checkpoint.safetensors (every 5 minutes), log.jsonl, " +
    "loss.svg, and weights/, which `deno task start --model DIR/weights` serves. Ctrl-C ends " +
    "after the current step and keeps everything.",
    "Without a card, run `deno task setup:tfjs` first: wasm computes on one thread.",
  ],
} satisfies Command;
