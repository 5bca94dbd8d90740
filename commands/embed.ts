/** `deno task embed`: features of audio files, with the engine that the server runs. */
import { basename } from "node:path";
import { decoders } from "../audio/decode.ts";
import { MAX_STREAM_CHANNELS } from "../audio/pcm.ts";
import type { Values } from "../config/setting.ts";
import { workersOf } from "../config/workers.ts";
import { CpcError, UsageError } from "../errors.ts";
import { headsOf } from "../inference/want.ts";
import type { PoolModel } from "../inference/models.ts";
import { EnginePool } from "../inference/pool.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { loadModels } from "../model/heads/load.ts";
import { parseOptions } from "../options.ts";
import { answer, type AnswerOptions } from "../recordings/answers.ts";
import { type FramedClip, openClips } from "../recordings/clips.ts";
import { embedClips } from "../recordings/embed_clips.ts";
import {
  arraysOf,
  checkEmbedding,
  checkFormat,
  type EmbeddingOptions,
  embeddingOptionsSchema,
  poolingOf,
} from "../recordings/embed_options.ts";
import { keepClip, keptSecondsOf } from "../recordings/kept_clip.ts";
import { type Io, runCommand } from "./cli.ts";
import { digestOf, digestsOf } from "./digest.ts";
import { inputFiles, shardOf } from "./embed/files.ts";
import { madeSinceMs, type Target, targetsOf, undone, writeWhole } from "./embed/folder.ts";
import { EMBED } from "./embed/options.ts";
import { EmbedProgress } from "./embed/progress.ts";

/** Files at once, with `--out`: while one begins or ends, others keep the workers busy. */
const FILES_PER_WORKER = 8;

/** What a file of features may be. */
type FileFormat = AnswerOptions["format"] | "parquet";

/** Runs the command; resolves to its exit status. */
export function embed(args: string[]): Promise<number> {
  return runCommand(EMBED, run, { args });
}

async function run(
  flags: Values<typeof EMBED.settings>,
  operands: readonly string[],
  io: Io,
): Promise<number> {
  const { output, pool: pooling, steps, dtype, out, models, engine, device, precision } = flags;
  const workers = workersOf(flags);
  const split = flags.split ? 1 : undefined;
  if (operands.length === 0) {
    throw new UsageError("name the audio files, or - for standard input; see --help");
  }
  const format = flags.format ?? (out || !Deno.stdout.isTerminal() ? "npy" : "json");
  const given = Object.entries({ output, pool: pooling, steps, dtype, split });
  const options = parseOptions(
    embeddingOptionsSchema,
    Object.fromEntries(given.filter(([, value]) => value !== undefined)),
  );
  checkFlags(options, format);
  const found = await inputFiles(operands);
  const files = flags.shard ? shardOf(found, flags.shard) : found;

  const weights = (await loadModels(models.slice(0, 1), flags.heads))[0]!; // there is a default
  const arrays = arraysOf(options, { weights });
  const extension = format === "npy" && arrays > 1 ? "npz" : format;
  const all = out === undefined ? [] : targetsOf(files, { out, extension });
  let targets = all;
  if (out !== undefined) {
    const heads = digestsOf(weights, headsOf(options.output));
    const making = { model: digestOf(weights), ...heads, precision, ...options };
    const sinceMs = await madeSinceMs(out, { extension, making });
    if (!flags.overwrite) targets = await undone(all, sinceMs);
    if (targets.length < all.length) {
      const done = all.length - targets.length;
      io.complain(
        `${done} of ${all.length} files are done already; --overwrite does them again`,
      );
    }
  }
  if ((out === undefined ? files : targets).length === 0) return 0;
  const pool = await EnginePool.start({
    engine,
    device,
    precision,
    workers,
    models: [weights],
    maxStreams: 16 * workers * (split ? MAX_STREAM_CHANNELS : 1),
  });
  const job = { pool, model: pool.model(), options, format } as const;
  try {
    checkEmbedding(options, job.model);
    if (out !== undefined) return await embedInto(targets, { ...job, io });
    await embedTogether(files.map(({ path }) => path), job);
    return 0;
  } finally {
    decoders.close();
    await pool.close();
  }
}

/** @throws {UsageError} */
function checkFlags(options: EmbeddingOptions, format: FileFormat): void {
  if (format === "parquet") {
    const { output } = options;
    if (output.length === 1 || headsOf(output).length === 0) return;
    throw new UsageError(
      `--format parquet writes one table, of frames or of one head's rows, not of ${output}: ask ` +
        "for them one by one, or for npz or safetensors",
    );
  }
  try {
    checkFormat(options, format);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

interface Job {
  readonly pool: EnginePool;
  readonly model: PoolModel;
  readonly options: EmbeddingOptions;
  readonly format: FileFormat;
}

/**
 * Embeds files, several at once, each into its target. A file that cannot be read or decoded does
 * not stop the others.
 */
async function embedInto(
  targets: readonly Target[],
  { io, ...job }: Job & { io: Io },
): Promise<number> {
  const { pool, model, options } = job;
  const split = options.split !== undefined;
  const progress = new EmbedProgress(targets.length);
  const atOnce = Math.min(targets.length, FILES_PER_WORKER * pool.size);
  const keptSeconds = keptSecondsOf(atOnce);
  const next = targets.values();
  let failures = 0;
  let stopped = false;
  const work = async () => {
    for (const { file: { path: file }, path } of next) {
      if (stopped) return;
      try {
        const clip = await keepClip(await read(file), { model, split, keptSeconds });
        const onFrames = progress.begin({ file, files: 1, frames: clip.frames });
        await writeWhole(path, await embeddedBytes([clip], { ...job, files: [file], onFrames }));
      } catch (error) {
        if (stopped) return;
        if (!(error instanceof CpcError || error instanceof UnreadableError)) {
          stopped = true;
          throw error;
        }
        failures++;
        const why = error instanceof CpcError ? `${file}: ${error.message}` : error.message;
        io.complain(`deno task embed: ${why}`);
      }
      progress.end();
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, work));
  } finally {
    progress.stop();
  }
  if (failures > 0 && targets.length > 1) {
    io.complain(`deno task embed: ${failures} of ${targets.length} files failed`);
  }
  return failures > 0 ? 1 : 0;
}

/** Embeds files together and writes one answer to standard output. */
async function embedTogether(files: readonly string[], job: Job): Promise<void> {
  const progress = new EmbedProgress(files.length);
  try {
    const recordings = [];
    for (const file of files) recordings.push(await read(file));
    const split = job.options.split !== undefined;
    const clips = await openClips(recordings, { ...job, split });
    const onFrames = progress.begin({
      file: files.map((file) => basename(file)).join(" "),
      files: files.length,
      frames: clips.reduce((sum, { frames }) => sum + frames, 0),
    });
    const bytes = await embeddedBytes(clips, { ...job, files, onFrames });
    await bytes.pipeTo(Deno.stdout.writable, { preventClose: true });
  } catch (error) {
    if (!(error instanceof CpcError)) throw error;
    const file = files[Number(/^input\[(\d+)\]$/.exec(error.param ?? "")?.[1])];
    throw file === undefined ? error : new CpcError(error.code, `${file}: ${error.message}`);
  } finally {
    progress.stop();
  }
}

/** The features of clips, as the bytes of one file. */
async function embeddedBytes(
  clips: readonly FramedClip[],
  { pool, model, options, format, files, onFrames }: Job & {
    files: readonly string[];
    onFrames: (count: number) => void;
  },
): Promise<ReadableStream<Uint8Array>> {
  const { embedded } = await embedClips(pool, clips, { ...options, model, onFrames });
  const { dtype } = options;
  if (format !== "parquet") {
    return ReadableStream.from(answer(embedded, { format, model, dtype }));
  }
  const { parquetTable } = await import("./embed/parquet.ts");
  return ReadableStream.from(parquetTable(embedded, {
    files,
    model: model.weights.id,
    frameRate: MODEL_SAMPLE_RATE / model.layout.plan.hopSamples,
    pooled: poolingOf(options) !== "none",
    dtype,
  }));
}

class UnreadableError extends Error {}

async function read(file: string): Promise<Uint8Array> {
  if (file === "-") return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
  try {
    return await Deno.readFile(file);
  } catch (error) {
    throw new UnreadableError(`cannot read ${file}: ${(error as Error).message}`);
  }
}

if (import.meta.main) Deno.exit(await embed(Deno.args));
