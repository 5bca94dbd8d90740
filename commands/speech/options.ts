/** The command lines of `deno task speech:data` and `speech:compare`. */
import { path, repeatable, text, whole } from "../../config/kinds.ts";
import { twinned } from "../../config/setting.ts";
import { COMPUTE_SETTINGS } from "../../config/settings.ts";
import { MAX_SEED } from "../../model/seeded.ts";
import type { Command } from "../cli.ts";

/** Makes the data. */
export const SPEECH_DATA = {
  name: "speech:data",
  about: "Makes tracks with labels to train and compare voice activity detectors on.",
  usage: "--manifest FILE --out DIR [flags]",
  settings: twinned("CPC_SPEECH_", {
    manifest: text({
      value: "FILE",
      required: true,
      help: "recordings: a CSV file as docs/training.md describes",
    }),
    out: text({ value: "DIR", required: true, help: "folder to write" }),
    sources: repeatable(text({
      value: "NAME",
      words: "all",
      help: "take recordings of this source only",
    })),
    cache: text({ value: "DIR", help: "keep decoded recordings there for the next run" }),
    trainTracks: whole({ min: 1, fallback: 60, help: "tracks of train speakers" }),
    devTracks: whole({ min: 1, fallback: 10, help: "tracks of dev speakers" }),
    testTracks: whole({ min: 1, fallback: 12, help: "tracks of test speakers, in each condition" }),
    trackSeconds: whole({ min: 10, max: 600, fallback: 30, unit: "s", help: "length of a track" }),
    seed: whole({ min: 0, max: MAX_SEED, fallback: 1, help: "of every choice" }),
  }),
  notes: [
    "Writes into DIR: train.csv with the tracks in train/ and dev/ for deno task head; test.csv " +
    "with those in test/, clean and at 20 to 0 dB. docs/heads-speech.md says how.",
  ],
} satisfies Command;

/** Compares detectors on it. */
export const SPEECH_COMPARE = {
  name: "speech:compare",
  about: "Compares voice activity detectors on the tracks of deno task speech:data.",
  usage: "--data DIR --cache DIR --head FOLDER… [flags]",
  settings: {
    ...twinned("CPC_SPEECH_", {
      data: text({ value: "DIR", required: true, help: "folder of deno task speech:data" }),
      heads: repeatable(text({
        value: "FOLDER",
        help: "a head to compare",
      })),
      model: text({
        value: "FOLDER",
        words: "two levels above each head",
        help: "weights folder of the heads' model",
      }),
      cache: text({ value: "DIR", required: true, help: "keep features there" }),
      output: text({
        value: "NAME",
        fallback: "speech",
        help: "the head's output that says speech",
      }),
      baselines: text({
        value: "DIR",
        words: "none",
        help: "scores of other detectors, by evaluation/speech/baselines.py",
      }),
      page: path({
        value: "FILE",
        words: "none",
        help: "put the tables between the marks of this Markdown page",
      }),
    }),
    engine: COMPUTE_SETTINGS.engine,
    device: COMPUTE_SETTINGS.device,
    precision: COMPUTE_SETTINGS.precision,
    workers: COMPUTE_SETTINGS.workers,
  },
} satisfies Command;
