/** `deno task embed`: features of audio files, with the engine that the server runs. */
import { basename, extname, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import cliProgress from "cli-progress";
import { closeDecoders } from "../audio/decode.ts";
import { CpcError } from "../errors.ts";
import { loadWeights } from "../model/weights.ts";
import { answer } from "../recordings/answers.ts";
import { checkAsked } from "../inference/want.ts";
import { embedClips } from "../recordings/embed_clips.ts";
import type { PoolModel } from "../inference/models.ts";
import { EnginePool } from "../inference/pool.ts";
import { environmentName, parseStart, START_FLAGS } from "../config/server.ts";
import { openClips } from "../recordings/clips.ts";
import { parseOptions } from "../options.ts";
import { type EmbeddingOptions, embeddingOptionsSchema } from "../recordings/embed_options.ts";

const OPTIONS = {
  output: { value: "LIST", help: "comma list of context, latent, prediction (default context)" },
  pool: { value: "HOW", help: "none, mean, max or last over the frames (default none)" },
  steps: { value: "LIST", help: "prediction steps (default all)" },
  format: { value: "KIND", help: "npy or json (default npy with --out or into a pipe, else json)" },
  out: { value: "DIR", help: "write NAME.npy (one output), NAME.npz (several) or NAME.json there" },
} as const;
const SHARED = ["model", "engine", "device", "precision", "workers"] as const;

const HELP = `Embeds audio files.

usage: deno task embed FILE… [flags]      ("-" reads standard input)

${
  [
    ...Object.entries(OPTIONS).map((
      [name, { value, help }],
    ) => [`--${name} ${value}`, `${help} (${environmentName(name)})`]),
    ...SHARED.map((
      name,
    ) => [
      `--${name} ${START_FLAGS[name].value}`,
      `${START_FLAGS[name].help} (${environmentName(name)})`,
    ]),
    ["--help", "this text"],
  ].map(([flag, help]) => `  ${flag.padEnd(18)} ${help}`).join("\n")
}

Without --out the features go to standard output: as JSON, or as npy, which becomes npz (arrays named INDEX.OUTPUT) for several
files or outputs.`;

const BAR = "{bar} {percentage} % {file}";

/** A mistake in the command line. */
class EmbedUsageError extends Error {}

/**
 * Runs the command; resolves to its exit status: 0, 1 when it failed, 2 when it was called wrongly.
 */
export async function embed(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    console.error(`deno task embed: ${error instanceof Error ? error.message : error}`);
    const usage = error instanceof EmbedUsageError ||
      (error instanceof Error && error.name === "UsageError") ||
      (error instanceof CpcError &&
        ["invalid_option", "model_not_found", "weights_invalid"].includes(error.code));
    return usage ? 2 : 1;
  }
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const text = (name: keyof typeof OPTIONS) =>
    values[name]?.toString() ?? (Deno.env.get(environmentName(name)) || undefined);
  if (positionals.length === 0) {
    throw new EmbedUsageError("name the audio files, or - for standard input; see --help");
  }
  const out = text("out");
  const shared = SHARED.flatMap((name) =>
    values[name] === undefined ? [] : [`--${name}`, String(values[name])]
  );
  const shares = new Set<string>(SHARED.map(environmentName));
  const config = parseStart(shared, (name) => shares.has(name) ? Deno.env.get(name) : undefined);
  if (!config) return 2;
  const format = text("format") ?? (out || !Deno.stdout.isTerminal() ? "npy" : "json");
  if (format !== "npy" && format !== "json") {
    throw new EmbedUsageError(`--format takes npy or json, got ${format}`);
  }
  const given = { output: text("output"), pool: text("pool"), steps: text("steps") };
  const options = parseOptions(
    embeddingOptionsSchema,
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  );
  const extension = format === "json" ? "json" : options.output.length > 1 ? "npz" : "npy";
  const targets = out ? targetsOf(positionals, { out, extension }) : undefined;

  const weights = await loadWeights(config.models[0]);
  const pool = await EnginePool.start({
    ...config,
    models: [weights],
    maxStreams: 16 * config.workers,
  });
  const job = { pool, model: pool.model(), options, format } as const;
  try {
    checkAsked(options, job.model.layout.dims);
    if (out) await Deno.mkdir(out, { recursive: true });
    for (const [file, target] of targets ?? []) {
      await embedFiles([file], { ...job, write: (bytes) => Deno.writeFile(target, bytes) });
    }
    if (!targets) {
      await embedFiles(positionals, {
        ...job,
        write: (bytes) => bytes.pipeTo(Deno.stdout.writable, { preventClose: true }),
      });
    }
    return 0;
  } finally {
    closeDecoders();
    await pool.close();
  }
}

/** Where each file's features go: its name with another ending. */
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
      throw new EmbedUsageError(`${other} and ${file} would both be written to ${target}`);
    }
    targets.set(file, target);
  }
  return targets;
}

/** Embeds files together and writes one answer; on a terminal with a progress bar. */
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
  const bar = Deno.stderr.isTerminal()
    ? new cliProgress.SingleBar({ format: BAR, stream: process.stderr })
    : undefined;
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

function parse(
  args: string[],
): { values: Record<string, string | boolean | undefined>; positionals: string[] } {
  const string = { type: "string" as const };
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...Object.fromEntries([...Object.keys(OPTIONS), ...SHARED].map((name) => [name, string])),
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new EmbedUsageError(`${(error as Error).message.split(/\. |\.?\n/)[0]}; see --help`);
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
