/**
 * `deno task speaker`: calibrates from which cosine of pooled contexts on two recordings count as
 * one speaker's, on speakers that no model was trained or tested on.
 */
import { join } from "node:path";
import { checkModels } from "../config/server.ts";
import type { Values } from "../config/setting.ts";
import { CpcError } from "../errors.ts";
import { meanRow } from "../evaluation/features/rows.ts";
import { allPairs, type Trials } from "../evaluation/metrics/verification.ts";
import { withTables } from "../evaluation/page.ts";
import { SPEAKER_SOURCES } from "../evaluation/selection.ts";
import {
  equalErrorThreshold,
  type SpeakerClip,
  speakerClips,
  type SpeakerFigures,
  speakerFigures,
  speakerTable,
} from "../evaluation/speaker.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { sha256Of } from "../model/heads/load.ts";
import { SPEAKER_FILE, type SpeakerFile } from "../model/speaker.ts";
import { loadWeights } from "../model/weights.ts";
import { type Corpus, openCorpus } from "../training/corpus.ts";
import type { DataSet } from "../training/manifest.ts";
import { runCommand } from "./cli.ts";
import { evaluationData } from "./eval/data.ts";
import { ModelExtractor } from "./eval/extractor.ts";
import { progress } from "./eval/progress.ts";
import { SPEAKER } from "./speaker/options.ts";

type Options = Values<typeof SPEAKER.settings>;

const MARKS = ["<!-- begin: deno task speaker -->", "<!-- end: deno task speaker -->"] as const;
/** Lengths of clips, in seconds. */
const SECONDS = [2, 5, 10];
/** The length for which the threshold is chosen. */
const THRESHOLD_SECONDS = 5;

/** Runs the command; resolves to its exit status. */
export function calibrateSpeaker(args: string[]): Promise<number> {
  return runCommand(SPEAKER, run, { args });
}

/** Clips of one source and length. */
interface ClipSet {
  readonly source: string;
  readonly seconds: number;
  readonly clips: readonly SpeakerClip[];
}

async function run(options: Options): Promise<void> {
  const { page, manifest } = options;
  checkModels(options.models);
  // fails before all the work, not after it
  const text = page && await Deno.readTextFile(page);
  if (page) withTables(text!, { tables: "", name: page, marks: MARKS });
  const { root, segments } = await evaluationData(manifest);
  const data = { root, segments: segments.filter(({ split }) => split === "dev") };
  const sets = clipSets(data);
  if (!sets.some(({ seconds }) => seconds === THRESHOLD_SECONDS)) {
    const why = `${manifest} has no two dev speakers of one source, each with two clips of ` +
      `${THRESHOLD_SECONDS} s`;
    throw new CpcError("invalid_option", why);
  }
  const corpus = await openCorpus(data, { cache: options.cache });
  const models: { id: string; figures: SpeakerFigures[] }[] = [];
  for (const folder of options.models) {
    const { id, threshold, figures } = await calibrate(folder, { sets, corpus, options });
    models.push({ id, figures });
    const file: SpeakerFile = {
      features: sha256Of(await Deno.readFile(join(folder, "model.safetensors"))),
      threshold,
      seconds: THRESHOLD_SECONDS,
      calibration: figures.map(({ source, seconds, clips, eer, falseAccepts, misses }) => ({
        source,
        seconds,
        speakers: eer.speakers,
        clips,
        pairs: eer.count,
        equal_error_rate: rounded(eer.value),
        ...eer.interval && { interval: [rounded(eer.interval[0]), rounded(eer.interval[1])] },
        false_accepts: rounded(falseAccepts),
        misses: rounded(misses),
      })),
    };
    await Deno.writeTextFile(join(folder, SPEAKER_FILE), `${JSON.stringify(file, undefined, 2)}\n`);
    console.error(`${id}: threshold ${threshold}, in ${join(folder, SPEAKER_FILE)}`);
  }
  const table = speakerTable(models);
  console.log(table);
  if (page) {
    await Deno.writeTextFile(page, withTables(text!, { tables: table, name: page, marks: MARKS }));
  }
}

/** Those with two speakers or more. */
function clipSets({ segments }: DataSet): ClipSet[] {
  return SPEAKER_SOURCES.flatMap((source) => {
    const own = segments.filter((segment) => segment.source === source);
    return SECONDS.map((seconds) => {
      const samples = seconds * MODEL_SAMPLE_RATE;
      return { source, seconds, clips: speakerClips(own, { samples }) };
    });
  }).filter(({ clips }) => new Set(clips.map(({ speaker }) => speaker)).size >= 2);
}

async function calibrate(
  folder: string,
  { sets, corpus, options }: { sets: readonly ClipSet[]; corpus: Corpus; options: Options },
): Promise<{ id: string; threshold: number; figures: SpeakerFigures[] }> {
  const weights = await loadWeights(folder);
  const model = await ModelExtractor.start(weights, { ...options, models: [folder] });
  const count = sets.reduce((sum, { clips }) => sum + clips.length, 0);
  try {
    const trials = await progress(weights.id, async (onClip) => {
      const heard: Trials[] = [];
      let done = 0;
      for (const { clips } of sets) {
        const onOne = () => onClip(++done, count);
        const vectors = await pooled(clips, { model, corpus, onOne });
        heard.push(allPairs(vectors, clips.map(({ speaker }) => speaker)));
      }
      return heard;
    });
    const chosen = trials.filter((_, i) => sets[i]!.seconds === THRESHOLD_SECONDS);
    const threshold = rounded(equalErrorThreshold(chosen));
    const figures = trials.map((one, i) => {
      const { source, seconds, clips } = sets[i]!;
      return speakerFigures(one, { threshold, source, seconds, clips: clips.length });
    });
    return { id: weights.id, threshold, figures };
  } finally {
    await model.close();
  }
}

/** The mean context of each clip. */
async function pooled(
  clips: readonly SpeakerClip[],
  { model, corpus, onOne }: { model: ModelExtractor; corpus: Corpus; onOne: () => void },
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = Array(clips.length);
  const queue = clips.entries();
  await Promise.all(Array.from({ length: model.concurrency }, async () => {
    for (const [i, { pieces }] of queue) {
      const parts = pieces.map(({ path, from, to }) => corpus.read(path, { from, to }));
      const [context] = await model.embed(Float32Array.from(parts.flatMap((part) => [...part])));
      vectors[i] = meanRow(context!, 0, context!.frames);
      onOne();
    }
  }));
  return vectors;
}

function rounded(x: number): number {
  return Number(x.toFixed(4));
}

if (import.meta.main) Deno.exit(await calibrateSpeaker(Deno.args));
