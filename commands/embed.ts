/** `deno task embed`: features of audio files, with the engine that the server runs. */
import { basename, extname, join } from "node:path";
import { decoders } from "../audio/decode.ts";
import type { Values } from "../config/setting.ts";
import { CpcError, UsageError } from "../errors.ts";
import { loadWeights } from "../model/weights.ts";
import { answer } from "../recordings/answers.ts";
import { checkAsked } from "../inference/want.ts";
import { embedClips } from "../recordings/embed_clips.ts";
import type { PoolModel } from "../inference/models.ts";
import { EnginePool } from "../inference/pool.ts";
import { openClips } from "../recordings/clips.ts";
import { parseOptions } from "../options.ts";
import { type EmbeddingOptions, embeddingOptionsSchema } from "../recordings/embed_options.ts";
import { runCommand } from "./cli.ts";
import { EMBED } from "./embed/options.ts";
import { terminalBar } from "./progress.ts";

/** Runs the command; resolves to its exit status. */
export function embed(args: string[]): Promise<number> {
  return runCommand(EMBED, run, { args });
}

async function run(
  flags: Values<typeof EMBED.settings>,
  files: readonly string[],
): Promise<void> {
  const { output, pool: pooling, steps, out, models, engine, device, precision, workers } = flags;
  if (files.length === 0) {
    throw new UsageError("name the audio files, or - for standard input; see --help");
  }
  const format = flags.format ?? (out || !Deno.stdout.isTerminal() ? "npy" : "json");
  const given = Object.entries({ output, pool: pooling, steps });
  const options = parseOptions(
    embeddingOptionsSchema,
    Object.fromEntries(given.filter(([, value]) => value !== undefined)),
  );
  const extension = format === "json" ? "json" : options.output.length > 1 ? "npz" : "npy";
  const targets = out ? targetsOf(files, { out, extension }) : undefined;

  const weights = await loadWeights(models[0]!); // there is a default
  const pool = await EnginePool.start({
    engine,
    device,
    precision,
    workers,
    models: [weights],
    maxStreams: 16 * workers,
  });
  const job = { pool, model: pool.model(), options, format } as const;
  try {
    checkAsked(options, job.model.layout.dims);
    if (out) await Deno.mkdir(out, { recursive: true });
    for (const [file, target] of targets ?? []) {
      await embedFiles([file], { ...job, write: (bytes) => Deno.writeFile(target, bytes) });
    }
    if (!targets) {
      await embedFiles(files, {
        ...job,
        write: (bytes) => bytes.pipeTo(Deno.stdout.writable, { preventClose: true }),
      });
    }
  } finally {
    decoders.close();
    await pool.close();
  }
}

/** Where each file's features go: the same name with another extension. */
function targetsOf(
  files: readonly string[],
  { out, extension }: { out: string; extension: string },
): Map<string, string> {
  const targets = new Map<string, string>();
  for (const file of files) {
    const target = join(
      out,
      `${file === "-" ? "stdin" : basename(file, extname(file))}.${extension}`,
    );
    const other = [...targets].find(([, known]) => known === target)?.[0];
    if (other !== undefined) {
      throw new UsageError(`${other} and ${file} would both be written to ${target}`);
    }
    targets.set(file, target);
  }
  return targets;
}

/** Embeds files together and writes one answer, with a progress bar on a terminal. */
async function embedFiles(
  files: readonly string[],
  { pool, model, options, format, write }: {
    pool: EnginePool;
    model: PoolModel;
    options: EmbeddingOptions;
    format: "npy" | "json";
    write: (bytes: ReadableStream<Uint8Array>) => Promise<void>;
  },
): Promise<void> {
  const bar = terminalBar("{bar} {percentage} % {file}");
  try {
    const recordings = [];
    for (const file of files) recordings.push(await read(file));
    const clips = await openClips(recordings, { model });
    bar?.start(clips.reduce((sum, { frames }) => sum + frames, 0), 0, {
      file: files.map((file) => basename(file)).join(" "),
    });
    const { embedded } = await embedClips(pool, clips, {
      ...options,
      model,
      onFrames: (count) => bar?.increment(count),
    });
    await write(ReadableStream.from(answer(embedded, { format, model })));
  } catch (error) {
    if (!(error instanceof CpcError)) throw error;
    const file = files[Number(/^input\[(\d+)\]$/.exec(error.param ?? "")?.[1])];
    throw file === undefined ? error : new CpcError(error.code, `${file}: ${error.message}`);
  } finally {
    bar?.stop();
  }
}

async function read(file: string): Promise<Uint8Array> {
  if (file === "-") return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
  try {
    return await Deno.readFile(file);
  } catch (error) {
    throw new Error(`cannot read ${file}: ${(error as Error).message}`);
  }
}

if (import.meta.main) Deno.exit(await embed(Deno.args));
