/** The command line of `deno task convert`. */
import { choice, custom, text, whole, yes } from "../../config/kinds.ts";
import type { Command } from "../cli.ts";

/** Largest of {@linkcode measure}. */
const MOST = 600;

/** A number above 0. */
function measure(spec: { value: string; words: string; help: string }) {
  return custom(spec, {
    takes: `a number above 0, up to ${MOST}`,
    accept: (text) => {
      const number = text.trim() ? Number(text) : NaN;
      return number > 0 && number <= MOST ? number : undefined;
    },
  });
}

/** The command line. */
export const CONVERT = {
  name: "convert",
  about: "Converts a PyTorch checkpoint to a weights folder, without running anything in it.",
  usage: "CHECKPOINT --out DIR [flags]",
  operands: "CDCK2, CDCK5 or CDCK6 (.pth); CPC_audio's checkpoint_N.pt with its " +
    "checkpoint_args.json beside it, or the hub's {config, weights}; bshall/cpc; " +
    "with --cpc, MaAI's voice activity projection (vap, vap_mc and their mono forms); " +
    "with --to pytorch, a weights folder",
  settings: {
    out: text({
      value: "DIR",
      required: true,
      help: "where config.json, model.safetensors and README.md go (with --cpc also heads/vap); " +
        "these files are replaced",
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
    cpc: text({
      value: "FILE",
      help: "the CPC network that a voice activity projection hears; CHECKPOINT is the projection",
    }),
    contextSeconds: measure({
      value: "SECONDS",
      words: "20",
      help: "with --cpc: how far the projection's attention looks back",
    }),
    frameRate: measure({
      value: "HZ",
      words: "100 / kernel",
      help: "with --cpc: the projection's rate, where its file's name says another",
    }),
    liveAlignment: yes({
      help: "with --cpc: delay the audio by one hop, which is what MaAI's own live loop hears",
    }),
    to: choice(["pytorch"], {
      value: "pytorch",
      help: "the other direction: a weights folder to the state_dict of its original module",
    }),
  },
  notes: ["See docs/checkpoints.md and docs/vap.md."],
} satisfies Command;
