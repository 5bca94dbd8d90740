/** The command line of `deno task embed`. */
import { choice, text } from "../../config/kinds.ts";
import { COMPUTE_SETTINGS } from "../../config/settings.ts";
import type { Command } from "../cli.ts";

/** The command line. */
export const EMBED = {
  name: "embed",
  about: "Embeds audio files.",
  usage: "FILE… [flags]",
  operands: "audio files; - reads standard input",
  settings: {
    output: text({
      value: "LIST",
      words: "context",
      help: "comma list of context, latent, prediction",
    }),
    pool: text({ value: "HOW", words: "none", help: "none, mean, max or last over the frames" }),
    steps: text({ value: "LIST", words: "all", help: "comma list of prediction steps" }),
    format: choice(["npy", "json"], {
      value: "KIND",
      words: "npy with --out or into a pipe, otherwise json",
      help: "npy or json",
    }),
    out: text({
      value: "DIR",
      help: "write NAME.npy (one output), NAME.npz (several) or NAME.json there",
    }),
    ...COMPUTE_SETTINGS,
  },
  notes: [
    "Without --out, the features go to standard output: as JSON, or as npy, which becomes npz " +
    "(arrays named INDEX.OUTPUT) for several files or outputs.",
  ],
} satisfies Command;
