/** `deno task convert VAP.pt --cpc CPC.pt`: voice activity projection as a model with a head. */
import { basename, resolve } from "node:path";
import { describeModel, modelCard } from "../../model/checkpoints/card.ts";
import { importCheckpoint } from "../../model/checkpoints/checkpoint.ts";
import { naming } from "../../model/checkpoints/refuse.ts";
import { sha256Of } from "../../model/heads/load.ts";
import { copyDiffers, featuresOf } from "../../model/vap/cpc.ts";
import { vapGraph } from "../../model/vap/graph.ts";
import { describeVap, headCard, headJson } from "../../model/vap/head.ts";
import { checkRate, windowRowsOf } from "../../model/vap/rate.ts";
import { readVap } from "../../model/vap/read.ts";
import type { Io } from "../cli.ts";
import { megabytes, pack, readArgs, readCheckpoint, writeFolder } from "./files.ts";

/** Seconds that the attention looks back, as MaAI's does. */
export const CONTEXT_SECONDS = 20;

/** What the command was given. */
export interface VapOptions {
  /** The file of the projection. */
  readonly source: string;
  /** That of the CPC network. */
  readonly cpc: string;
  readonly out: string;
  readonly contextSeconds?: number;
  readonly frameRate?: number;
  readonly liveAlignment: boolean;
  readonly dtype: "f32" | "f16";
}

/**
 * Writes a weights folder of the CPC network with the head `vap` in it.
 *
 * @throws {CpcError} `checkpoint_invalid` if the two cannot be converted, with the reason
 */
export async function importVap(options: VapOptions, io: Io): Promise<void> {
  const { source, cpc, out, contextSeconds = CONTEXT_SECONDS, liveAlignment, dtype } = options;
  const bytes = await readCheckpoint(source);
  const cpcBytes = await readCheckpoint(cpc);
  const { network, cpcCopy, skipped } = naming(source, () => {
    const read = readVap(bytes);
    checkRate(read.network.sizes, { file: basename(source), said: options.frameRate });
    return read;
  });
  const { sizes } = network;
  const imported = importCheckpoint(cpcBytes, { name: cpc, args: await readArgs(cpc) });
  const model = naming(cpc, () => featuresOf(imported, { sizes, liveAlignment }));
  const differs = naming(source, () => copyDiffers(cpcCopy, model));
  const notes = differs
    ? [
      ...model.notes,
      `${basename(source)} has a CPC network of its own with other numbers; as in MaAI, ${
        basename(cpc)
      } counts`,
    ]
    : model.notes;
  const windowRows = windowRowsOf(sizes, contextSeconds);
  const lines: [string, string][] = [
    ...describeModel(model),
    ...describeVap(sizes, { windowRows }),
    ...notes.map((note): [string, string] => ["note", note]),
    ...skipped.length > 0 ? [["skipped", skipped.join(", ")] as [string, string]] : [],
  ];
  io.print(
    `read ${source} (${megabytes(bytes.byteLength)}) and ${cpc} (${
      megabytes(cpcBytes.byteLength)
    })`,
  );
  for (const [label, text] of lines) io.print(`  ${label.padEnd(12)} ${text}`);

  const weights = pack(model.tensors, dtype);
  const name = basename(resolve(out));
  const command = commandLine(options, name);
  const graph = vapGraph(network, { windowRows });
  const head = headJson(sizes, { windowRows, features: sha256Of(weights) });
  await writeFolder(out, {
    "config.json": encode(JSON.stringify(model.config, null, 2) + "\n"),
    "model.safetensors": weights,
    "README.md": encode(modelCard({ ...model, notes, skipped: [] }, {
      name,
      file: basename(cpc),
      sha256: sha256Of(cpcBytes),
      command,
    })),
  });
  await writeFolder(`${out}/heads/vap`, {
    "head.json": encode(JSON.stringify(head, null, 2) + "\n"),
    "head.onnx": graph,
    "README.md": encode(headCard(sizes, {
      windowRows,
      file: basename(source),
      sha256: sha256Of(bytes),
      command,
      liveAlignment,
    })),
  });
  io.print(
    `wrote ${out}: config.json, model.safetensors (${dtype.toUpperCase()}, ${
      megabytes(weights.byteLength)
    }), README.md; heads/vap: head.json, head.onnx (${megabytes(graph.byteLength)}), README.md`,
  );
}

function commandLine(options: VapOptions, name: string): string {
  const { source, cpc, contextSeconds, frameRate, liveAlignment, dtype } = options;
  return [
    `deno task convert ${basename(source)} --cpc ${basename(cpc)} --out weights/${name}`,
    ...contextSeconds === undefined ? [] : [`--context-seconds ${contextSeconds}`],
    ...frameRate === undefined ? [] : [`--frame-rate ${frameRate}`],
    ...liveAlignment ? ["--live-alignment"] : [],
    ...dtype === "f32" ? [] : ["--dtype f16"],
  ].join(" ");
}

const encode = (text: string) => new TextEncoder().encode(text);
