/** The command line of `deno task head`. */
import { choice, choices, custom, path, repeatable, text, whole } from "../../config/kinds.ts";
import { twinned, type Values } from "../../config/setting.ts";
import { COMPUTE_SETTINGS, SHIPPED_MODEL } from "../../config/settings.ts";
import { MAX_SEED } from "../../model/seeded.ts";
import { TFJS_DEVICES } from "../../model/tfjs/backend.ts";
import { HEAD_TYPES } from "../../training/heads/network.ts";
import { NOISES } from "../../training/heads/noise.ts";
import type { Command } from "../cli.ts";

/** A range in dB, written as one number or as `LOW..HIGH`. */
function decibels(spec: { fallback: string; help: string }) {
  return custom<readonly [number, number], typeof spec & { value: string }>(
    { ...spec, value: "LOW..HIGH" },
    {
      takes: "dB from -100 to 100, as LOW..HIGH or one number",
      accept: (text) => {
        const [low, high = low, ...more] = text.split("..").map(Number);
        const isRange = more.length === 0 && low >= -100 && low <= high && high <= 100;
        return isRange && text !== "" ? [low, high] : undefined;
      },
    },
  );
}

/** The command line. */
export const HEAD = {
  name: "head",
  about: "Trains a head on a model's frozen features.",
  usage: "--labels CSV --out DIR [flags]",
  settings: {
    ...twinned("CPC_HEAD_", {
      labels: text({
        value: "CSV",
        required: true,
        help: "path,start_s,end_s,label or path,label; speaker and split if they are known",
      }),
      out: text({
        value: "DIR",
        required: true,
        help: "the head's folder; a run in it is continued",
      }),
      features: path({
        value: "MODEL",
        fallback: SHIPPED_MODEL,
        help: "weights folder of the model whose features the head hears",
      }),
      input: choice(["context", "latent"], {
        value: "NAME",
        fallback: "context",
        help: "the features: context or latent",
      }),
      type: choice(HEAD_TYPES, { value: "NAME", fallback: "linear", help: HEAD_TYPES.join(", ") }),
      hidden: custom({ value: "N", fallback: "32", help: "hidden width of an mlp or gru" }, {
        takes: "a multiple of 16 from 16 to 1024",
        accept: (text) => {
          const n = Number(text);
          return /^\d+$/.test(text) && n >= 16 && n <= 1024 && n % 16 === 0 ? n : undefined;
        },
      }),
      every: whole({ min: 1, max: 100, fallback: 1, help: "frames of a row" }),
      positive: custom({
        value: "LABEL",
        words: "one probability for each label",
        help: "give out this label's probability alone, and events of it",
      }, {
        takes: "letters, digits, _ and -",
        accept: (text) => /^[\w-]{1,64}$/.test(text) ? text : undefined,
      }),
      events: repeatable(custom({
        value: "LABEL",
        help: "send an event while this label's probability is high",
      }, {
        takes: "letters, digits, _ and -",
        accept: (text) => /^[\w-]{1,64}$/.test(text) ? text : undefined,
      })),
      noise: choices(NOISES, {
        words: "none",
        help: `noise in the copies: comma list of ${NOISES.join(", ")}`,
      }),
      copies: whole({
        min: 0,
        max: 20,
        words: "2 with --noise, otherwise 0",
        help: "copies of each recording at another level, and with noise",
      }),
      snr: decibels({ fallback: "0..20", help: "signal-to-noise ratio of the copies in dB" }),
      level: decibels({ fallback: "-40..-15", help: "level of the copies in dB of full scale" }),
      steps: whole({ min: 1, max: 1_000_000, fallback: 2000, help: "most steps" }),
      batch: whole({
        min: 1,
        max: 1024,
        fallback: 32,
        help: "windows of up to 200 rows in a step",
      }),
      rate: custom({ value: "RATE", fallback: "0.002", help: "Adam's peak learning rate" }, {
        takes: "a number above 0, up to 1",
        accept: (text) => Number(text) > 0 && Number(text) <= 1 ? Number(text) : undefined,
      }),
      patience: whole({
        min: 1,
        max: 1000,
        fallback: 5,
        help: "looks at the held-out rows without a better one before it stops",
      }),
      seed: whole({ min: 0, max: MAX_SEED, fallback: 1, help: "of every draw" }),
      cache: text({
        value: "DIR",
        words: "run/features in --out",
        help: "keep features there; runs may share it",
      }),
      trainDevice: choice(TFJS_DEVICES, {
        value: "NAME",
        fallback: "auto",
        help: "where the head is trained: gpu, cpu or wasm",
      }),
    }),
    engine: COMPUTE_SETTINGS.engine,
    device: COMPUTE_SETTINGS.device,
    precision: COMPUTE_SETTINGS.precision,
    workers: COMPUTE_SETTINGS.workers,
  },
  notes: [
    "Writes head.json, head.onnx and README.md into DIR, which `deno task start --head NAME=DIR` " +
    "serves, and what it needs to go on into DIR/run. Ctrl-C keeps everything.",
    "Speakers or recordings are held out as the column split says (train, dev, test), otherwise " +
    "one in five. Training stops early by the loss on them.",
  ],
} satisfies Command;

/** The parsed options. */
export type HeadFlags = Values<typeof HEAD.settings>;
