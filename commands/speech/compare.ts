/** `deno task speech:compare`: voice activity heads beside other detectors. */
import { basename, dirname, join, resolve } from "node:path";
import { cpuUsage } from "node:process";
import { z } from "zod";
import type { Values } from "../../config/setting.ts";
import { CpcError, UsageError } from "../../errors.ts";
import { judge, type SpeechResult, speechTables } from "../../evaluation/speech/compare.ts";
import type { Scores } from "../../evaluation/speech/onsets.ts";
import { withTables } from "../../evaluation/page.ts";
import { MODEL_SAMPLE_RATE, streamingPlan } from "../../model/architecture.ts";
import { type HeadSpec, parseHeadSpec, sizeOf } from "../../model/heads/spec.ts";
import { loadWeights, modelDims } from "../../model/weights.ts";
import { openCorpus } from "../../training/corpus.ts";
import { HeadHearing } from "../../training/heads/hearing.ts";
import {
  type LabelledData,
  type LabelledRecording,
  readLabels,
} from "../../training/heads/labels.ts";
import { runCommand } from "../cli.ts";
import { ModelExtractor } from "../eval/extractor.ts";
import { progress } from "../eval/progress.ts";
import { hearAll } from "../head/features.ts";
import { dataSetOf } from "../head/plan.ts";
import { SPEECH_COMPARE } from "./options.ts";

type Options = Values<typeof SPEECH_COMPARE.settings>;

const MARKS = [
  "<!-- begin: deno task speech:compare -->",
  "<!-- end: deno task speech:compare -->",
] as const;
const BASELINES = ["silero", "webrtc"];
/** Streams of a step where the cost of a head is measured. */
const COST_STREAMS = 8;
const baselineSchema = z.object({ hop_s: z.number().positive(), scores: z.array(z.number()) });
const costSchema = z.record(z.string(), z.number());

/** Runs the command; resolves to its exit status. */
export function speechCompare(args: string[]): Promise<number> {
  return runCommand(SPEECH_COMPARE, run, { args });
}

/** A detector: its scores of each track by path, and its microseconds a second of audio. */
interface Detector {
  readonly name: string;
  readonly scores: ReadonlyMap<string, Scores>;
  readonly costUs?: number;
}

async function run(options: Options): Promise<void> {
  const { heads, baselines, page } = options;
  if (heads.length === 0 && !baselines) {
    throw new UsageError("there is nothing to compare: give --head or --baselines");
  }
  const data = await readLabels(join(options.data, "test.csv"));
  const detectors: Detector[] = [];
  for (const folder of heads) detectors.push(await headDetector(folder, { data, options }));
  if (baselines) {
    for (const name of BASELINES) detectors.push(await baseline(name, { data, baselines }));
  }
  const groups = [
    ["Noise that is not speech: white, pink, hum", (path: string) => !isBabble(path)],
    ["Babble of other people, of whom none counts as speech", isBabble],
  ] as const;
  const parts = groups.flatMap(([title, isIn]) => {
    const recordings = data.recordings.filter(({ path }) => isIn(path));
    if (recordings.length === 0) return [];
    return [`**${title}**`, speechTables(resultsOf(detectors, recordings))];
  });
  const tables = [
    ...parts,
    "Cost of a stream, on one thread, in µs a second of audio:",
    [
      "| detector | µs |",
      "| --- | --- |",
      ...detectors.map(({ name, costUs }) => `| ${name} | ${costUs?.toFixed(0) ?? "–"} |`),
    ].join("\n"),
  ].join("\n\n");
  if (page) {
    const text = await Deno.readTextFile(page);
    await Deno.writeTextFile(page, withTables(text, { tables, name: page, marks: MARKS }));
  }
  console.log(tables);
}

function isBabble(path: string): boolean {
  return path.endsWith("-babble.wav");
}

/** Figures of each detector in each condition, which is the recording's folder. */
function resultsOf(
  detectors: readonly Detector[],
  recordings: readonly LabelledRecording[],
): SpeechResult[] {
  const byCondition = Map.groupBy(recordings, ({ path }) => basename(dirname(path)));
  return detectors.flatMap(({ name, scores }) =>
    [...byCondition].map(([condition, own]) => ({
      detector: name,
      condition,
      figures: judge(own.map(({ path, spans }) => ({ spans, scores: scores.get(path)! }))),
    }))
  );
}

async function headDetector(
  folder: string,
  { data, options }: { data: LabelledData; options: Options },
): Promise<Detector> {
  const file = join(folder, "head.json");
  const spec = parseHeadSpec(await Deno.readTextFile(file), file);
  const { name: output, shape } = spec.outputs[0]!; // a head has one
  if (output !== options.output || sizeOf(shape) !== 1) {
    throw new CpcError("invalid_option", `${file}: its first output is not ${options.output} [1]`);
  }
  const modelFolder = options.model ?? resolve(folder, "../..");
  const weights = await loadWeights(modelFolder);
  const { hopSamples, lookaheadSamples } = streamingPlan(weights.config);
  const rowS = spec.every * hopSamples / MODEL_SAMPLE_RATE;
  const corpus = await openCorpus(dataSetOf(data));
  const segments = new Map(corpus.segments.map((segment) => [segment.path, segment]));
  const dims = modelDims(weights.config)[spec.input];
  const model = await ModelExtractor.start(weights, { ...options, models: [modelFolder] });
  try {
    const heard = await progress(
      `features of ${weights.id}`,
      (onRecording) =>
        hearAll({ model, input: spec.input, every: spec.every, rowS, dims }, {
          recordings: data.recordings,
          samplesOf: (path) => corpus.samples(segments.get(path)!),
          augmentation: { copies: 0, noises: [], snrDb: [0, 0], levelDb: [0, 0] },
          voices: [],
          seed: 0,
        }, { cache: options.cache, classes: new Map(), onRecording }),
    );
    const head = await HeadHearing.create(await Deno.readFile(join(folder, "head.onnx")), spec);
    const width = spec.every * dims;
    const values = await head.hear(heard.map(({ data }) => data), width);
    // row 0 is known with the last sample that its last frame depends on
    const firstKnownS = (lookaheadSamples + (spec.every - 1) * hopSamples) / MODEL_SAMPLE_RATE;
    const scores = new Map(
      heard.map(({ path }, i) => [path, { hopS: rowS, firstKnownS, values: values[i]! }]),
    );
    const costUs = await costOf(head, { recordings: heard.map(({ data }) => data), width, rowS });
    await head.dispose();
    return { name: nameOf(folder, { model: weights.id, spec }), scores, costUs };
  } finally {
    await model.close();
  }
}

function nameOf(
  folder: string,
  { model, spec }: { model: string; spec: HeadSpec },
): string {
  return `${model} ${basename(resolve(folder))} (${spec.input})`;
}

/** Processor time of a stream, several side by side. */
async function costOf(
  head: HeadHearing,
  { recordings, width, rowS }: {
    recordings: readonly Float32Array[];
    width: number;
    rowS: number;
  },
): Promise<number> {
  const some = recordings.slice(0, COST_STREAMS);
  await head.hear(some, width); // warm
  const before = cpuUsage();
  await head.hear(some, width);
  const { user, system } = cpuUsage(before);
  const seconds = some.reduce((sum, { length }) => sum + length / width * rowS, 0);
  return (user + system) / seconds;
}

async function baseline(
  name: string,
  { data, baselines }: { data: LabelledData; baselines: string },
): Promise<Detector> {
  const read = async <T>(file: string, schema: z.ZodType<T>): Promise<T> => {
    const path = join(baselines, file);
    try {
      return schema.parse(JSON.parse(await Deno.readTextFile(path)));
    } catch (error) {
      throw new CpcError(
        "invalid_option",
        `cannot read ${path}, which evaluation/speech/baselines.py writes: ${
          (error as Error).message
        }`,
      );
    }
  };
  const scores = new Map<string, Scores>();
  for (const { path } of data.recordings) {
    const { hop_s: hopS, scores: values } = await read(`${path}.${name}.json`, baselineSchema);
    scores.set(path, { hopS, firstKnownS: hopS, values: values.map(SHOWN[name] ?? ((x) => x)) });
  }
  const cost = await read("cost.json", costSchema);
  return { name: NAMES[name] ?? name, scores, costUs: cost[name] };
}

const NAMES: Readonly<Record<string, string>> = { silero: "silero-vad", webrtc: "WebRTC" };
/** WebRTC's strictest mode decides at 0.5; the shares of its modes below that only rank. */
const SHOWN: Readonly<Record<string, (score: number) => number>> = {
  webrtc: (share) => share === 1 ? 1 : 0.49 * share,
};

if (import.meta.main) Deno.exit(await speechCompare(Deno.args));
