/** The command line of `deno task convert`. */
import { choice, custom, text, whole } from "../../config/kinds.ts";
import type { Command } from "../cli.ts";

/** The command line. */
export const CONVERT = {
  name: "convert",
  about: "Converts a PyTorch checkpoint to a weights folder, without running anything in it.",
  usage: "CHECKPOINT --out DIR [flags]",
  operands: "CDCK2, CDCK5 or CDCK6 (.pth); CPC_audio's checkpoint_N.pt with its " +
    "checkpoint_args.json beside it, or the hub's {config, weights}; bshall/cpc; " +
    "with --to pytorch, a weights folder",
  settings: {
    out: text({
      value: "DIR",
      required: true,
      help: "where config.json, model.safetensors and README.md go; these files are replaced",
    }),
    layer: whole({
      min: 1,
      max: 99,
      words: "the last",
      help: "layer of the context network that is sent as context; predictions use the last",
    }),
    inputScale: custom({
      value: "X",
      words: "1; 32768 for CDCK models",
      help: "factor for samples in ±1",
    }, {
      takes: "a number above 0, up to 1000000",
      accept: (text) => {
        const scale = text.trim() ? Number(text) : NaN;
        return scale > 0 && scale <= 1e6 ? scale : undefined;
      },
    }),
    dtype: choice(["f32", "f16"], {
      value: "f32|f16",
      fallback: "f32",
      help: "how matrices are stored; biases, norms and statistics stay f32",
    }),
    to: choice(["pytorch"], {
      value: "pytorch",
      help: "the other direction: a weights folder to the state_dict of its original module",
    }),
  },
  notes: ["See docs/checkpoints.md."],
} satisfies Command;
