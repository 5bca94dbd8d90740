/** How well `deno task embed` uses all cores: `deno task bench --only embed`. */
import { join } from "node:path";
import { fixtureSamples } from "../conformance/golden.ts";
import { wavOf } from "../formats/wav.ts";
import { AskedThread } from "./asked_thread.ts";
import type { FromBare, ToBare } from "./bare_worker.ts";
import { pad } from "./print.ts";
import { median } from "./statistics.ts";
import { taskWords } from "./task_words.ts";

/** What is embedded, and how often. */
export interface EmbedSizes {
  readonly clips: number;
  readonly clipSeconds: number;
  readonly fileSeconds: number;
  readonly rounds: number;
}

const SIZES: EmbedSizes = { clips: 100, clipSeconds: 10, fileSeconds: 1200, rounds: 3 };
/** A step as files take it: as many rows as an engine has at most. */
const STEP = { streams: 8, hops: 8 };
const ROUND_MS = 3000;
const SPEECH = ["italian_long.wav", "russian.wav", "synthetic_english.wav"] as const;

/** Medians over the rounds, in seconds of audio a second unless stated. */
export interface EmbedFigures {
  readonly workers: number;
  /** The bare step on one thread, while the others rest. */
  readonly bare: number;
  /** The same on all workers' threads at once, together. */
  readonly bareTogether: number;
  /** `embed` of clips, without its start. */
  readonly clips: number;
  /** From the start of `embed` to its end with next to no audio, in seconds. */
  readonly startS: number;
  /** One long file with one worker. */
  readonly fileOne: number;
  /** The same with all workers. */
  readonly fileAll: number;
}

/** Measures, and prints. */
export async function embedding(model: string): Promise<void> {
  const { clips, clipSeconds, fileSeconds, rounds } = SIZES;
  console.log(
    `\nembed: ${clips} clips of ${clipSeconds} s, and a file of ${fileSeconds} s, as WAV, ` +
      "into npy; without the start;",
  );
  console.log(
    `seconds of audio a second, medians of ${rounds} rounds in turns; bare: steps of ` +
      `${STEP.streams} streams × ${STEP.hops} hops`,
  );
  const { workers, bare, bareTogether, startS, ...rates } = await benchEmbed(model, SIZES);
  const row = (name: string, rate: number, note = "") =>
    console.log(`${name.padEnd(28)}${pad(rate.toFixed(1), 8)}${note && `  ${note}`}`);
  const share = (rate: number, of: number) => `${(100 * rate / of).toFixed(0)} %`;
  row("bare step, one thread", bare);
  row(`bare step, ${workers} at once`, bareTogether, `${(bareTogether / bare).toFixed(2)} × one`);
  row(
    `clips, ${workers} workers`,
    rates.clips,
    `${share(rates.clips, workers * bare)} of ${workers} × one, ${
      share(rates.clips, bareTogether)
    } of ${workers} at once`,
  );
  row("one file, 1 worker", rates.fileOne);
  row(
    `one file, ${workers} workers`,
    rates.fileAll,
    `${(rates.fileAll / rates.fileOne).toFixed(2)} × 1 worker`,
  );
  console.log(`start: ${startS.toFixed(2)} s`);
}

/** Measures `deno task embed` in processes of its own, and the bare step in this one. */
export async function benchEmbed(
  model: string,
  { clips, clipSeconds, fileSeconds, rounds }: EmbedSizes,
  { workers = navigator.hardwareConcurrency, roundMs = ROUND_MS } = {},
): Promise<EmbedFigures> {
  const folder = await Deno.makeTempDir();
  const threads = Array.from({ length: workers }, () => bareThread());
  const seen = {
    bare: [] as number[],
    bareTogether: [] as number[],
    clips: [] as number[],
    startS: [] as number[],
    fileOne: [] as number[],
    fileAll: [] as number[],
  };
  try {
    const paths = { clips: join(folder, "clips"), file: join(folder, "file") };
    const nothing = join(folder, "nothing");
    await writeSpeech(paths.clips, { count: clips, seconds: clipSeconds });
    await writeSpeech(paths.file, { count: 1, seconds: fileSeconds });
    await writeSpeech(nothing, { count: 1, seconds: 0.1 });
    await Promise.all(threads.map((thread) => thread.ask({ ...STEP, model, roundMs })));
    const run = (input: string, workers: number) =>
      embedSeconds(input, { model, workers, out: join(folder, "out") });
    for (let round = 0; round < rounds; round++) {
      seen.bare.push(Number(await threads[0].ask("go")));
      const together = await Promise.all(threads.map((thread) => thread.ask("go")));
      seen.bareTogether.push(together.reduce<number>((sum, rate) => sum + Number(rate), 0));
      const startS = await run(nothing, workers);
      seen.startS.push(startS);
      seen.clips.push(clips * clipSeconds / (await run(paths.clips, workers) - startS));
      seen.fileOne.push(fileSeconds / (await run(paths.file, 1) - startS));
      seen.fileAll.push(fileSeconds / (await run(paths.file, workers) - startS));
    }
  } finally {
    for (const thread of threads) thread.end();
    await Deno.remove(folder, { recursive: true });
  }
  const medians = Object.entries(seen).map(([name, values]) => [name, median(values)]);
  return { workers, ...Object.fromEntries(medians) };
}

/** Writes recordings of speech, over and over as long as they shall be. */
async function writeSpeech(
  folder: string,
  { count, seconds }: { count: number; seconds: number },
): Promise<void> {
  await Deno.mkdir(folder);
  const speech = SPEECH.flatMap((name) => [...fixtureSamples(name)]);
  const length = Math.round(seconds * 16_000);
  for (let i = 0; i < count; i++) {
    const samples = Float32Array.from(
      { length },
      (_, n) => speech[(n + i * 7919) % speech.length],
    );
    await Deno.writeFile(join(folder, `${i}.wav`), wavOf(samples, { sampleRate: 16_000 }));
  }
}

/** Seconds that `deno task embed` takes for a folder, from its start to its end. */
async function embedSeconds(
  input: string,
  { model, workers, out }: { model: string; workers: number; out: string },
): Promise<number> {
  const root = new URL("../", import.meta.url);
  const args = await taskWords("embed");
  const flags = ["--model", model, "--workers", `${workers}`, "--out", out, "--overwrite"];
  const started = performance.now();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args, input, ...flags],
    cwd: root.pathname,
    stdout: "null",
    stderr: "piped",
  }).output();
  const seconds = (performance.now() - started) / 1000;
  if (!success) throw new Error(`embed failed: ${new TextDecoder().decode(stderr)}`);
  return seconds;
}

function bareThread(): AskedThread<ToBare | "go", FromBare> {
  const worker = new Worker(new URL("./bare_worker.ts", import.meta.url), { type: "module" });
  return new AskedThread(worker, "the bare step");
}
