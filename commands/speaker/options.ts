/** The command line of `deno task speaker`. */
import { path, text } from "../../config/kinds.ts";
import { twinned } from "../../config/setting.ts";
import { COMPUTE_SETTINGS } from "../../config/settings.ts";
import type { Command } from "../cli.ts";

/** The command line. */
export const SPEAKER = {
  name: "speaker",
  about: "Calibrates the threshold of POST /v1/compare and head.speaker on dev speakers.",
  usage: "--model FOLDER… --manifest FILE [flags]",
  settings: {
    ...COMPUTE_SETTINGS,
    ...twinned("CPC_SPEAKER_", {
      manifest: text({
        value: "FILE",
        required: true,
        help: "recordings: a CSV file as docs/evaluation.md describes",
      }),
      cache: text({ value: "DIR", help: "keep decoded recordings there for the next run" }),
      page: path({
        value: "FILE",
        words: "none",
        help: "put the table between the marks of this Markdown page",
      }),
    }),
  },
  notes: ["Writes speaker.json into each model's folder; docs/speaker.md says how."],
} satisfies Command;
