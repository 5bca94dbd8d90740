/** `deno task convert`: PyTorch checkpoints to weights folders, and back. */
import { basename, resolve } from "node:path";
import type { Values } from "../config/setting.ts";
import { UsageError } from "../errors.ts";
import { delayOf } from "../model/architecture.ts";
import { describeModel, modelCard } from "../model/checkpoints/card.ts";
import { importCheckpoint, type ImportedCheckpoint } from "../model/checkpoints/checkpoint.ts";
import { toPyTorch } from "../model/checkpoints/to_pytorch.ts";
import { sha256Of } from "../model/heads/load.ts";
import { loadWeights } from "../model/weights.ts";
import { type Io, runCommand } from "./cli.ts";
import {
  isFolder,
  megabytes,
  pack,
  readArgs,
  readCheckpoint,
  writeFolder,
} from "./convert/files.ts";
import { CONVERT } from "./convert/options.ts";
import { importVap } from "./convert/vap.ts";

type Options = Values<typeof CONVERT.settings> & { readonly source: string };

/**
 * Runs the command.
 *
 * @param args the words after `deno task convert`
 * @returns the exit status: 0, 1 for a checkpoint that cannot be converted, 2 for wrong usage
 */
export function convert(args: string[], io?: Io): Promise<number> {
  return runCommand(CONVERT, async (flags, [source, ...others], io) => {
    if (source === undefined || others.length > 0) {
      const given = source === undefined ? 0 : others.length + 1;
      throw new UsageError(`convert takes one CHECKPOINT, got ${given}; see --help`);
    }
    const { cpc, ...rest } = flags;
    checkTogether(flags);
    if (cpc !== undefined) return await importVap({ ...rest, source, cpc }, io);
    if (flags.to === undefined) return await importFile({ ...flags, source }, io);
    await exportWeights({ ...flags, source }, io);
  }, { args, io });
}

/** @throws {UsageError} for flags that do not belong together */
function checkTogether(flags: Values<typeof CONVERT.settings>): void {
  const ofModels = flags.layer !== undefined || flags.inputScale !== undefined;
  const ofVap = flags.contextSeconds !== undefined || flags.frameRate !== undefined ||
    flags.liveAlignment;
  if (flags.cpc === undefined && ofVap) {
    throw new UsageError("--context-seconds, --frame-rate and --live-alignment go with --cpc");
  }
  if (flags.cpc !== undefined && flags.to !== undefined) {
    throw new UsageError("--cpc cannot go with --to pytorch");
  }
  if (flags.cpc !== undefined && ofModels) {
    throw new UsageError(
      "--layer and --input-scale cannot go with --cpc: the projection hears the first layer, " +
        "unscaled",
    );
  }
  if (flags.to !== undefined && ofModels) {
    throw new UsageError(
      "--layer and --input-scale cannot go with --to pytorch: a state_dict holds neither",
    );
  }
}

async function importFile(options: Options, io: Io): Promise<void> {
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
  const lines: [string, string][] = [
    ...describeModel(model),
    ["input scale", `${model.config.input_scale}: ${why}`],
    ...model.notes.map((note): [string, string] => ["note", note]),
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
      sha256: sha256Of(bytes),
      command: commandLine(options, name),
    })),
  });
  io.print(
    `wrote ${out}: config.json, model.safetensors (${dtype.toUpperCase()}, ${
      megabytes(file.byteLength)
    }), README.md`,
  );
}

async function exportWeights({ source, out, dtype }: Options, io: Io): Promise<void> {
  if (!(await isFolder(source))) {
    throw new UsageError(`--to pytorch takes a weights folder, and ${source} is not one`);
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
  if (delayOf(weights.config) > 0) {
    io.print(
      `note: a state_dict holds no delay: put ${delayOf(weights.config)} zeros before the samples`,
    );
  }
  if (weights.config.input_scale !== 1) {
    io.print(
      "note: a state_dict holds no input scale: multiply samples in ±1 by " +
        `${weights.config.input_scale}`,
    );
  }
}

function commandLine({ source, layer, inputScale, dtype }: Options, name: string): string {
  const flags = [
    ...layer === undefined ? [] : [`--layer ${layer}`],
    ...inputScale === undefined ? [] : [`--input-scale ${inputScale}`],
    ...dtype === "f32" ? [] : ["--dtype f16"],
  ];
  return ["deno task convert", basename(source), `--out weights/${name}`, ...flags].join(" ");
}

const encode = (text: string) => new TextEncoder().encode(text);
const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;

if (import.meta.main) Deno.exitCode = await convert(Deno.args);
