/** `deno task speech:data`: tracks with labels for voice activity, clean and noisy. */
import { dirname, join } from "node:path";
import type { Values } from "../../config/setting.ts";
import { CpcError } from "../../errors.ts";
import { wavOf } from "../../formats/wav.ts";
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import { hashOf, seeded } from "../../model/seeded.ts";
import { type Corpus, openCorpus } from "../../training/corpus.ts";
import { readDataSet, type Split } from "../../training/manifest.ts";
import { NOISES } from "../../training/heads/noise.ts";
import { varied } from "../../training/heads/augment.ts";
import { energySpans } from "../../training/speech/energy.ts";
import { makeTracks, shuffled, type Track, type Utterance } from "../../training/speech/tracks.ts";
import { runCommand } from "../cli.ts";
import { showDecoding } from "../train/progress.ts";
import { SPEECH_DATA } from "./options.ts";

/** Signal-to-noise ratios of the test tracks, in dB. */
const TEST_SNR_DB = [20, 15, 10, 5, 0];
/** Level of the test tracks, in dB of full scale. */
const TEST_LEVEL_DB = -26;
const HEAD = "path,start_s,end_s,label,speaker,split";

/** Runs the command; resolves to its exit status. */
export function speechData(args: string[]): Promise<number> {
  return runCommand(SPEECH_DATA, run, { args });
}

async function run(flags: Values<typeof SPEECH_DATA.settings>): Promise<void> {
  const { manifest, out, seed, sources, trackSeconds: seconds } = flags;
  const all = await readDataSet(manifest);
  const segments = all.segments.filter(({ source, speaker }) =>
    speaker !== "" && (sources.length === 0 || sources.includes(source))
  );
  if (segments.length === 0) {
    throw new CpcError("invalid_option", `${manifest} has no recordings of known speakers here`);
  }
  const corpus = await openCorpus({ ...all, segments }, {
    cache: flags.cache,
    onProgress: showDecoding(),
  });
  const tracksOf = (split: Split, count: number): Track[] => {
    const utterances = cleanUtterances(corpus, { split, seed });
    const tracks = makeTracks(utterances, { seed: hashOf(seed, split), seconds, count });
    console.error(
      `${split}: ${utterances.length} clean recordings, ${tracks.length} tracks of ${seconds} s`,
    );
    if (tracks.length > 0) return tracks;
    throw new CpcError(
      "invalid_option",
      `too little clean speech of ${split} speakers for a track`,
    );
  };

  const rows = [HEAD];
  for (const [split, count] of [["train", flags.trainTracks], ["dev", flags.devTracks]] as const) {
    for (const [i, track] of tracksOf(split, count).entries()) {
      const path = `${split}/${numbered(i)}.wav`;
      await writeTrack(join(out, path), track.samples);
      rows.push(...rowsOf(track, path, split));
    }
  }
  await Deno.writeTextFile(join(out, "train.csv"), rows.join("\n") + "\n");

  const voices = cleanUtterances(corpus, { split: "train", seed: hashOf(seed, "babble") });
  const tests = [HEAD];
  for (const [i, track] of tracksOf("test", flags.testTracks).entries()) {
    for (const snrDb of [Infinity, ...TEST_SNR_DB]) {
      // each noise in turn, the same at every ratio
      const noise = snrDb === Infinity ? undefined : NOISES[i % NOISES.length];
      const path = `test/${snrDb === Infinity ? "clean" : `${snrDb}dB`}/${numbered(i)}-${
        noise ?? "clean"
      }.wav`;
      const random = seeded(hashOf(seed, "noise", i));
      let next = i * 97; // other voices in every track
      const voice = () => voices[next++ % voices.length].samples;
      const samples = varied(track.samples, { noise, snrDb, levelDb: TEST_LEVEL_DB }, {
        random,
        voice,
      });
      await writeTrack(join(out, path), samples);
      tests.push(...rowsOf(track, path, "test"));
    }
  }
  await Deno.writeTextFile(join(out, "test.csv"), tests.join("\n") + "\n");
  console.error(`written: ${join(out, "train.csv")}, ${join(out, "test.csv")}`);
}

/** Recordings of a split that are clean enough for labels, in an order of the seed's. */
function cleanUtterances(
  corpus: Corpus,
  { split, seed }: { split: Split; seed: number },
): Utterance[] {
  const own = corpus.segments.filter((segment) => segment.split === split);
  const bySource = Map.groupBy(shuffled(own, hashOf(seed, split)), ({ source }) => source);
  return inTurn([...bySource.values()]).flatMap((segment) => {
    const samples = corpus.samples(segment);
    const spans = energySpans(samples);
    const speaker = `${segment.source}/${segment.speaker}`;
    return spans?.some(({ label }) => label === "speech") ? [{ speaker, samples, spans }] : [];
  });
}

/** The first of each list, then the second of each, and so on. */
function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1)))
    .flat();
}

async function writeTrack(file: string, samples: Float32Array): Promise<void> {
  await Deno.mkdir(dirname(file), { recursive: true });
  await Deno.writeFile(file, wavOf(samples, { sampleRate: MODEL_SAMPLE_RATE }));
}

function rowsOf({ spans }: Track, path: string, split: Split): string[] {
  return spans.map(({ start, end, label }) =>
    `${path},${start.toFixed(3)},${end.toFixed(3)},${label},,${split}`
  );
}

function numbered(i: number): string {
  return String(i).padStart(3, "0");
}

if (import.meta.main) Deno.exit(await speechData(Deno.args));
