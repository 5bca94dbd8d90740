/** The command line of `deno task embed`. */
import { AUDIO_KINDS } from "../../audio/source.ts";
import { choice, custom, text, yes } from "../../config/kinds.ts";
import { COMPUTE_SETTINGS, HEAD_SETTING } from "../../config/settings.ts";
import { DTYPES } from "../../formats/float_bytes.ts";
import { POOLS } from "../../recordings/embed_options.ts";
import type { Command } from "../cli.ts";

/** The command line. */
export const EMBED = {
  name: "embed",
  about: "Embeds audio files.",
  usage: "FILE… [flags]",
  operands: `audio files (${AUDIO_KINDS.join(", ")}), folders of them, patterns such as ` +
    "'data/**/*.flac'; - reads standard input",
  settings: {
    output: text({
      value: "LIST",
      words: "context",
      help: "comma list of context, latent, prediction and head.NAME",
    }),
    pool: choice(POOLS, {
      value: "HOW",
      words: "none",
      help: "none, mean, max or last over the frames",
    }),
    steps: text({ value: "LIST", words: "all", help: "comma list of prediction steps" }),
    format: choice(["npy", "npz", "json", "safetensors", "parquet"], {
      value: "KIND",
      words: "npy with --out or into a pipe, otherwise json",
      help: "npy (npz for several arrays), npz, json, safetensors or parquet",
    }),
    dtype: choice(DTYPES, {
      value: "TYPE",
      words: "f32",
      help: "f32, or f16: half the bytes, in all formats but json",
    }),
    split: yes({
      help: "features of every channel instead of their mean: rows become [channels, …]",
    }),
    out: text({
      value: "DIR",
      help:
        "write NAME.npy (one output), NAME.npz (several), or NAME with the format's name there; " +
        "files that are done already are skipped",
    }),
    overwrite: yes({ help: "with --out: do again what is done already" }),
    shard: custom({
      value: "I/N",
      words: "all files",
      help: "take every N-th file from the I-th on",
    }, {
      takes: "I/N with 1 ≤ I ≤ N",
      accept: (text) => {
        const [, index, count] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
        return index && count && index <= count ? { index, count } : undefined;
      },
    }),
    heads: HEAD_SETTING,
    ...COMPUTE_SETTINGS,
  },
  notes: [
    "Without --out, the features go to standard output: as JSON, or as npy, which becomes npz " +
    "(arrays named INDEX.OUTPUT) for several files or outputs.",
    "With --out, several files are embedded at once. A file of features appears when it is " +
    "complete, under the path that its audio has below the folder or pattern that was given. It " +
    "is done if it is newer than its audio and was made with the same model and options, so that " +
    "the same command goes on where it was stopped. A file that cannot be embedded is named on " +
    "standard error, the others follow, and the exit status is 1.",
    "--shard sorts all files first. N machines that see the same files share them with --shard " +
    "1/N to N/N.",
  ],
} satisfies Command;
