/** The command line of `deno task eval`. */
import { choices, file, text, whole } from "../../config/kinds.ts";
import type { Values } from "../../config/setting.ts";
import { COMPUTE_SETTINGS } from "../../config/settings.ts";
import { TASKS } from "../../evaluation/selection.ts";
import type { Command } from "../cli.ts";

/** The command line. */
export const EVAL = {
  name: "eval",
  about: "Evaluates frozen features on unseen speakers.",
  usage: "--model FOLDER… --manifest FILE [flags]",
  settings: {
    ...COMPUTE_SETTINGS,
    manifest: text({
      value: "FILE",
      required: true,
      help: "recordings: a CSV file as docs/evaluation.md describes",
    }),
    only: choices(TASKS, { words: "all", help: `comma list of ${TASKS.join(", ")}` }),
    repetitions: whole({
      min: 2,
      fallback: 4,
      help: "most recordings of one word by one speaker, for words and abx",
    }),
    out: text({
      value: "DIR",
      help: "write evaluation.json and the charts there, and evaluation.md unless --page takes " +
        "the tables",
    }),
    page: file({
      help: "put the tables between the marks of this Markdown page; requires --out",
    }),
    cache: text({
      value: "DIR",
      help: "keep decoded recordings and features there for the next run",
    }),
  },
  notes: ["The tables go to standard output as Markdown, progress to standard error."],
} satisfies Command;

/** The parsed options. */
export type Options = Values<typeof EVAL.settings>;
