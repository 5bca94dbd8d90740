/** The recordings and models of `deno task eval`. */
import { CpcError } from "../../errors.ts";
import { loadTfjs } from "../../model/tfjs/backend.ts";
import type { Weights } from "../../model/weights.ts";
import type { Corpus } from "../../training/corpus.ts";
import { cacheFile, readFeatures, writeFeatures } from "../../evaluation/feature_cache.ts";
import { type Clip, type Extractor, type Features, listen } from "../../evaluation/listen.ts";
import { WINDOW_SAMPLES } from "../../evaluation/prediction.ts";
import { drawWindows, PREDICTION_SOURCES, SPEAKER_SOURCES } from "../../evaluation/selection.ts";
import { type DataSet, readDataSet } from "../../training/manifest.ts";
import { untrainedWeights } from "../../evaluation/untrained.ts";
import { note, progress } from "./progress.ts";

const UNTRAINED = { seed: 1, batches: 12, batchWindows: 8 } as const;

/**
 * The recordings of known speakers: those to evaluate on, and those of their sources' other
 * speakers.
 */
export async function evaluationData(manifest: string): Promise<DataSet> {
  const { root, segments } = await readDataSet(manifest);
  const known = segments.filter(({ source }) => SPEAKER_SOURCES.includes(source));
  if (known.length > 0) return { root, segments: known };
  throw new CpcError(
    "invalid_option",
    `${manifest} has no recordings of the sources ${SPEAKER_SOURCES.join(", ")}`,
  );
}

/** The models, and an untrained one of each shape. */
export async function withUntrained(
  models: readonly Weights[],
  corpus: Corpus,
): Promise<Weights[]> {
  const shapes = Map.groupBy(models, ({ config }) => JSON.stringify(config));
  const { tf } = await loadTfjs();
  const { seed, batches, batchWindows } = UNTRAINED;
  const windows = drawWindows(corpus, {
    sources: PREDICTION_SOURCES,
    split: "train",
    samples: WINDOW_SAMPLES,
    count: batches * batchWindows,
  }).map(({ samples }) => samples);
  if (windows.length === 0) {
    note("there are no train recordings to set an untrained model's norms, so it is left out");
    return [...models];
  }
  const parts = Map.groupBy(windows.keys(), (i) => Math.floor(i / batchWindows));
  const untrained: Weights[] = [];
  for (const alike of shapes.values()) {
    const { id, config } = alike[0]!; // a group has a member
    const made = await untrainedWeights(tf, {
      id: shapes.size === 1 ? "untrained" : `untrained ${id}`,
      config,
      seed,
      batches: [...parts.values()].map((part) => part.map((i) => windows[i]!)),
    });
    untrained.push(made);
  }
  return [...models, ...untrained];
}

/** Features from the cache; missing ones are computed and added to it. */
export async function hear(
  extractor: Extractor,
  clips: readonly Clip[],
  { corpus, cache }: { corpus: Corpus; cache?: string },
): Promise<Features> {
  const file = cache && corpus.key && cacheFile(cache, extractor, { clips, corpus: corpus.key });
  const known = file && await readFeatures(file, { systems: extractor.systems, clips });
  if (known) return known;
  const features = await progress(extractor.systems.join(", "), (onProgress) => {
    let done = 0;
    return listen(extractor, clips, {
      samplesOf: (segment) => corpus.samples(segment),
      onClip: () => onProgress(++done, clips.length),
    });
  });
  if (file) await writeFeatures(file, features, clips);
  return features;
}
