/** `deno task convert`: PyTorch checkpoints to weights folders, and back. */
import { createHash } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { environmentName } from "../config/server.ts";
import { CpcError, UsageError } from "../errors.ts";
import { describeModel, modelCard } from "../model/checkpoints/card.ts";
import { importCheckpoint, type ImportedCheckpoint } from "../model/checkpoints/checkpoint.ts";
import { toPyTorch } from "../model/checkpoints/to_pytorch.ts";
import { type Dtype, type Tensor, writeSafetensors } from "../model/safetensors.ts";
import { loadWeights } from "../model/weights.ts";

const HELP =
  `Converts a PyTorch checkpoint of a CPC model to a weights folder, without running anything in it.

usage: deno task convert CHECKPOINT --out DIR [--layer N] [--input-scale X] [--dtype f32|f16]
       deno task convert FOLDER --out DIR --to pytorch [--dtype f32|f16]

  CHECKPOINT         CDCK2, CDCK5, CDCK6 (.pth) · CPC_audio checkpoint_N.pt with its checkpoint_args.json beside it,
                     or the hub's {config, weights} · bshall/cpc
  --out DIR          where config.json, model.safetensors and README.md go (CPC_OUT)
  --layer N          layer of the context network that is given out as context, from 1 (CPC_LAYER; default the last)
  --input-scale X    what samples in ±1 are multiplied by (CPC_INPUT_SCALE; default 1; 32768 for CDCK models)
  --dtype f32|f16    how weights are stored (CPC_DTYPE; default f32; biases and norms stay f32)
  --to pytorch       the other way: a weights folder to the state_dict of its original module (CPC_TO)

See docs/checkpoints.md.
`;

/** Largest file that is read, in bytes. */
const MAX_FILE_BYTES = 2 * 1024 ** 3;
/** Largest finite 16-bit float. */
const F16_MAX = 65504;

/** Where the command writes and what it knows of its environment. */
export interface ConvertIo {
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly env: (name: string) => string | undefined;
}

const CONSOLE: ConvertIo = {
  print: (text) => console.log(text),
  complain: (text) => console.error(text),
  env: (name) => {
    try {
      return Deno.env.get(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) return undefined; // run without --allow-env
      throw error;
    }
  },
};

interface Options {
  readonly source: string;
  readonly out: string;
  readonly layer?: number;
  readonly inputScale?: number;
  readonly dtype: Dtype;
  readonly toPytorch: boolean;
}

/**
 * Runs the command.
 *
 * @param args what follows `deno task convert`
 * @returns the exit status: 0, 1 for a checkpoint that cannot be converted, 2 for wrong usage
 */
export async function convert(args: string[], io: ConvertIo = CONSOLE): Promise<number> {
  try {
    const options = readOptions(args, io.env);
    if (!options) io.print(HELP);
    else if (options.toPytorch) await exportWeights(options, io);
    else await importFile(options, io);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof CpcError)) throw error;
    io.complain(`convert: ${error.message}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function readOptions(args: string[], env: ConvertIo["env"]): Options | undefined {
  const { values, positionals } = parseFlags(args);
  if (values.help) return undefined;
  const value = (flag: Exclude<keyof typeof values, "help">) =>
    values[flag] ?? (env(environmentName(flag)) || undefined);
  if (positionals.length !== 1) {
    throw new UsageError(`one CHECKPOINT is needed, got ${positionals.length}; --help tells more`);
  }
  const out = value("out");
  if (!out) throw new UsageError("--out DIR is needed: the folder to write");
  const [layer, inputScale] = [value("layer"), value("input-scale")];
  if (layer !== undefined && !/^[1-9]\d?$/.test(layer)) {
    throw new UsageError(`--layer must be a whole number from 1, got ${JSON.stringify(layer)}`);
  }
  const scale = inputScale?.trim() ? Number(inputScale) : NaN;
  if (inputScale !== undefined && !(scale > 0 && scale <= 1e6)) {
    throw new UsageError(
      `--input-scale must be a number above 0, up to 1000000, got ${JSON.stringify(inputScale)}`,
    );
  }
  const dtype = value("dtype") ?? "f32";
  if (dtype !== "f32" && dtype !== "f16") {
    throw new UsageError(`--dtype must be f32 or f16, got ${JSON.stringify(dtype)}`);
  }
  const to = value("to");
  if (to !== undefined && to !== "pytorch") {
    throw new UsageError(`--to must be pytorch, got ${JSON.stringify(to)}`);
  }
  if (to && (values.layer !== undefined || values["input-scale"] !== undefined)) {
    throw new UsageError(
      "--layer and --input-scale do not go with --to pytorch: a state_dict holds neither",
    );
  }
  return {
    source: positionals[0],
    out,
    layer: layer === undefined ? undefined : Number(layer),
    inputScale: inputScale === undefined ? undefined : scale,
    dtype: dtype === "f32" ? "F32" : "F16",
    toPytorch: to !== undefined,
  };
}

function parseFlags(args: string[]) {
  try {
    const text = { type: "string" } as const;
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        out: text,
        layer: text,
        "input-scale": text,
        dtype: text,
        to: text,
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`${error.message.split(/\.\s/)[0]}; --help tells more`);
  }
}

async function importFile(options: Options, io: ConvertIo): Promise<void> {
  const { source, out, layer, inputScale, dtype } = options;
  const bytes = await readCheckpoint(source);
  const imported = importCheckpoint(bytes, { name: source, args: await readArgs(source) });
  const { context } = imported.config;
  if (layer !== undefined && layer > context.layers) {
    throw new UsageError(
      `--layer ${layer}: the context network of ${source} has ${plural(context.layers, "layer")}`,
    );
  }
  const model: ImportedCheckpoint = {
    ...imported,
    config: {
      ...imported.config,
      context: layer === undefined ? context : { ...context, output_layer: layer },
      input_scale: inputScale ?? imported.inputScale.value,
    },
  };
  const why = inputScale === undefined ? imported.inputScale.reason : "as given by --input-scale";
  const lines = [
    ...describeModel(model),
    ["input scale", `${model.config.input_scale}: ${why}`],
    ...model.notes.map((n) => ["note", n]),
  ];
  if (model.skipped.length > 0) lines.push(["skipped", model.skipped.join(", ")]);
  io.print(`read ${source} (${megabytes(bytes.byteLength)})`);
  for (const [label, text] of lines) io.print(`  ${label.padEnd(12)} ${text}`);
  const file = pack(model.tensors, dtype);
  const name = basename(resolve(out));
  await writeFolder(out, {
    "config.json": encode(JSON.stringify(model.config, null, 2) + "\n"),
    "model.safetensors": file,
    "README.md": encode(modelCard(model, {
      name,
      file: basename(source),
      sha256: createHash("sha256").update(bytes).digest("hex"),
      command: commandLine(options, name),
    })),
  });
  io.print(
    `wrote ${out}: config.json, model.safetensors (${dtype}, ${
      megabytes(file.byteLength)
    }), README.md`,
  );
}

async function exportWeights({ source, out, dtype }: Options, io: ConvertIo): Promise<void> {
  if (!(await isFolder(source))) {
    throw new UsageError(`--to pytorch takes a weights folder, ${source} is none`);
  }
  const weights = await loadWeights(source);
  const { kind, model, criterion } = toPyTorch(weights);
  const files: Record<string, Uint8Array> = { "state_dict.safetensors": pack(model, dtype) };
  if (criterion) files["state_dict_criterion.safetensors"] = pack(criterion, dtype);
  await writeFolder(out, files);
  io.print(`read ${source}: loads as ${kind}`);
  io.print(`wrote ${out}: state_dict.safetensors (${plural(model.size, "tensor")})`);
  if (criterion) {
    io.print(
      `wrote ${out}: state_dict_criterion.safetensors (${
        plural(criterion.size, "predictor")
      }, cpcCriterion)`,
    );
  }
  if (weights.config.input_scale !== 1) {
    io.print(
      `note: a state_dict holds no input scale: multiply samples in ±1 by ${weights.config.input_scale}`,
    );
  }
}

/**
 * Matrices in the dtype, everything of one dimension (biases, norms, statistics) in F32. @throws
 * {CpcError} beyond 16 bits
 */
function pack(tensors: ReadonlyMap<string, Tensor>, dtype: Dtype): Uint8Array<ArrayBuffer> {
  const isMatrix = (name: string) => tensors.get(name)!.shape.filter((size) => size > 1).length > 1;
  for (const [name, { data }] of dtype === "F16" ? tensors : []) {
    if (!isMatrix(name)) continue;
    const large = data.find((x) => Math.abs(x) > F16_MAX);
    if (large !== undefined) {
      throw new CpcError(
        "checkpoint_invalid",
        `tensor ${name} holds ${large}, beyond f16's ±${F16_MAX}; use --dtype f32`,
      );
    }
  }
  return writeSafetensors(tensors, {
    dtype: (name) => isMatrix(name) ? dtype : "F32",
    metadata: { format: "pt" },
  });
}

async function readCheckpoint(path: string): Promise<Uint8Array> {
  try {
    const info = await Deno.stat(path);
    if (info.isDirectory) {
      throw new UsageError(
        `${path} is a folder; convert takes a checkpoint file (a weights folder with --to pytorch)`,
      );
    }
    if (info.size > MAX_FILE_BYTES) {
      throw new CpcError(
        "checkpoint_invalid",
        `${path} has ${megabytes(info.size)}; up to ${megabytes(MAX_FILE_BYTES)} are read`,
      );
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof UsageError || error instanceof CpcError) throw error;
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

/** The training arguments that CPC_audio keeps beside its checkpoints. */
async function readArgs(path: string): Promise<unknown> {
  const file = join(dirname(path), "checkpoint_args.json");
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new CpcError("checkpoint_invalid", `cannot read ${file}: ${(error as Error).message}`);
  }
}

async function writeFolder(folder: string, files: Record<string, Uint8Array>): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    for (const [name, bytes] of Object.entries(files)) {
      await Deno.writeFile(join(folder, name), bytes);
    }
  } catch (error) {
    throw new CpcError("internal", `cannot write ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function commandLine({ source, layer, inputScale, dtype }: Options, name: string): string {
  const flags = [
    ...layer === undefined ? [] : [`--layer ${layer}`],
    ...inputScale === undefined ? [] : [`--input-scale ${inputScale}`],
    ...dtype === "F32" ? [] : ["--dtype f16"],
  ];
  return ["deno task convert", basename(source), `--out weights/${name}`, ...flags].join(" ");
}

const encode = (text: string) => new TextEncoder().encode(text);
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;
const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;

if (import.meta.main) Deno.exitCode = await convert(Deno.args);
