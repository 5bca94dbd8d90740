/** `deno task embed`: features of audio files, with the engine that the server runs. */
import { basename, extname, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import cliProgress from "cli-progress";
import { CpcError } from "../errors.ts";
import { loadWeights } from "../model/weights.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { type Embedded, jsonAnswer, npyAnswer, npzAnswer } from "../routes/embed_answer.ts";
import { openClips, parseOptions } from "../routes/embed_request.ts";
import { checkOptions, embedClips } from "../routes/embeddings.ts";
import { embeddingOptionsSchema } from "../routes/schemas.ts";
import { EnginePool } from "../streaming/pool.ts";
import { environmentName, parseStart, START_FLAGS } from "../config.ts";

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
    ...Object.entries(OPTIONS).map(([name, { value, help }]) => [`--${name} ${value}`, `${help} (${environmentName(name)})`]),
    ...SHARED.map((name) => [`--${name} ${START_FLAGS[name].value}`, `${START_FLAGS[name].help} (${environmentName(name)})`]),
    ["--help", "this text"],
  ].map(([flag, help]) => `  ${flag.padEnd(18)} ${help}`).join("\n")
}

Without --out, one file's features go to standard output.`;

/** A mistake in the command line. */
class EmbedUsageError extends Error {}

/** Runs the command; resolves to its exit status: 0, 1 when it failed, 2 when it was called wrongly. */
export async function embed(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    console.error(`deno task embed: ${error instanceof Error ? error.message : error}`);
    const usage = error instanceof EmbedUsageError || (error instanceof Error && error.name === "UsageError") ||
      (error instanceof CpcError && ["invalid_option", "model_not_found", "weights_invalid"].includes(error.code));
    return usage ? 2 : 1;
  }
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const text = (name: keyof typeof OPTIONS) => values[name]?.toString() ?? (Deno.env.get(environmentName(name)) || undefined);
  if (positionals.length === 0) throw new EmbedUsageError("name the audio files, or - for standard input; see --help");
  const out = text("out");
  if (!out && positionals.length > 1) throw new EmbedUsageError("several files need --out DIR");
  const shared = SHARED.flatMap((name) => values[name] === undefined ? [] : [`--${name}`, String(values[name])]);
  const config = parseStart(shared, (name) => Deno.env.get(name));
  if (!config) return 2;
  const format = text("format") ?? (out || !Deno.stdout.isTerminal() ? "npy" : "json");
  if (format !== "npy" && format !== "json") throw new EmbedUsageError(`--format takes npy or json, got ${format}`);
  const given = { output: text("output"), pool: text("pool"), steps: text("steps") };
  const options = parseOptions(
    embeddingOptionsSchema,
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  );

  const weights = await loadWeights(config.models[0]);
  const pool = await EnginePool.start({ ...config, models: [weights], maxStreams: 16 * config.workers });
  const bar = Deno.stderr.isTerminal() && positionals.length > 1
    ? new cliProgress.SingleBar(
      { format: "{bar} {value}/{total} {file}", stream: process.stderr },
      cliProgress.Presets.shades_classic,
    )
    : undefined;
  try {
    const model = pool.model();
    checkOptions(options, model);
    if (out) await Deno.mkdir(out, { recursive: true });
    bar?.start(positionals.length, 0, { file: "" });
    for (const file of positionals) {
      bar?.update({ file: basename(file) });
      const bytes = await read(file);
      const { embedded } = await openClips([bytes], { model }).then((clips) => embedClips(pool, clips, { model, options })).catch(
        (error) => {
          throw error instanceof CpcError ? new CpcError(error.code, `${file}: ${error.message}`) : error;
        },
      );
      const frameRate = MODEL_SAMPLE_RATE / model.layout.plan.hopSamples;
      await write(embedded, { file, out, format, model: weights.id, frameRate });
      bar?.increment();
    }
    return 0;
  } finally {
    bar?.stop();
    await pool.close();
  }
}

function parse(args: string[]): { values: Record<string, string | boolean | undefined>; positionals: string[] } {
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
    throw new EmbedUsageError(`${(error as Error).message.split(". ")[0]}; see --help`);
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

async function write(
  items: readonly Embedded[],
  { file, out, format, model, frameRate }: {
    file: string;
    out?: string;
    format: "npy" | "json";
    model: string;
    frameRate: number;
  },
): Promise<void> {
  const several = items[0].features.length > 1;
  const extension = format === "json" ? "json" : several ? "npz" : "npy";
  const text = () => ReadableStream.from(jsonAnswer(items, { model, frameRate })).pipeThrough(new TextEncoderStream());
  const binary = () => ReadableStream.from(several ? npzAnswer(items) : npyAnswer(items[0].features[0]));
  const bytes = format === "json" ? text() : binary();
  if (!out) return await bytes.pipeTo(Deno.stdout.writable, { preventClose: true });
  const name = file === "-" ? "stdin" : basename(file, extname(file));
  await Deno.writeFile(join(out, `${name}.${extension}`), bytes);
}

if (import.meta.main) Deno.exit(await embed(Deno.args));
