/** The command lines of `deno task setup:tfjs` and `deno task setup:onnx-cuda`. */
import { yes } from "../../config/kinds.ts";
import { twinned } from "../../config/setting.ts";
import type { Command } from "../cli.ts";

const force = yes({ help: "build again even if it is in place" });

/** The command line of `setup:tfjs`. */
export const SETUP_TFJS = {
  name: "setup:tfjs",
  about:
    "Builds TensorFlow.js with its native library into .tfjs/, for --engine tfjs and for training.",
  usage: "[--gpu] [--force]",
  settings: twinned("CPC_SETUP_", {
    gpu: yes({
      help: "@tensorflow/tfjs-node-gpu, for NVIDIA cards (requires driver and CUDA 12)",
    }),
    force,
  }),
  notes: [
    "Needs Linux on x86_64, python3 with pip, and g++. Downloads about 250 MB and takes 900 MB " +
    "of disk (--gpu: 650 MB and 1.5 GB).",
    "The official installer is an alternative where it works. See docs/tfjs.md.",
  ],
} satisfies Command;

/** The command line of `setup:onnx-cuda`. */
export const SETUP_ONNX_CUDA = {
  name: "setup:onnx-cuda",
  about:
    "Puts ONNX Runtime with its CUDA provider into .onnx/cuda/, for --engine onnx --device cuda.",
  usage: "[--force]",
  settings: twinned("CPC_SETUP_", { force }),
  notes: [
    "Needs Linux on x86_64, python3 with pip, and, to compute, an NVIDIA card with driver 580 or " +
    "later. CUDA's libraries are included.",
    "Downloads about 1.1 GB and takes 1.7 GB of disk. See docs/gpu.md.",
  ],
} satisfies Command;
