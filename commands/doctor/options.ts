/** The command line of `deno task doctor`. */
import { choice, text, yes } from "../../config/kinds.ts";
import { twinned } from "../../config/setting.ts";
import { MODEL_SETTING } from "../../config/settings.ts";
import { ENGINE_KINDS } from "../../model/engine.ts";
import type { Command } from "../cli.ts";

/** The command line. */
export const DOCTOR = {
  name: "doctor",
  about:
    "Shows what this machine has: engines, devices, libraries, drivers, CPU features, and how " +
    "fast each engine is.",
  usage: "[flags]",
  settings: {
    ...twinned("CPC_DOCTOR_", {
      check: yes({
        help:
          "compare engines with PyTorch's outputs on the recordings in tests/fixtures: |Δ| of " +
          "each, exit status 1 beyond 1e-4",
      }),
      engine: choice(ENGINE_KINDS, {
        value: "NAME",
        words: "all; with --device: onnx",
        help: `one engine: ${ENGINE_KINDS.join(" or ")}`,
      }),
      device: text({
        value: "NAME",
        words: "all",
        help: "one device: cpu, webgpu, cuda; with tfjs: cpu, gpu, webgpu, wasm",
      }),
      json: yes({ help: "print JSON, for programs" }),
    }),
    model: MODEL_SETTING,
  },
  notes: [
    "Speed is in seconds of audio computed per second, by one thread with 8 streams.",
    "Each engine runs in a process of its own, so one that crashes or hangs is reported like any " +
    "other.",
    "Exit status: 0 if an engine works (with --check, if all checked engines are within the " +
    "tolerance), 1 if none does, 2 for wrong usage.",
  ],
} satisfies Command;
