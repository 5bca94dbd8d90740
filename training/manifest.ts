/** Data sets for training and evaluation: a manifest (CSV) or a folder of recordings. */
import { dirname, extname, join, relative, sep } from "node:path";
import { parse } from "csv-parse/sync";
import { z } from "zod";
import { CpcError } from "../errors.ts";
import { hashOf } from "../model/seeded.ts";

/** Parts of a data set, disjoint in speakers. */
const SPLITS = ["train", "dev", "test"] as const;
/** One of {@linkcode SPLITS}. */
export type Split = typeof SPLITS[number];

/** A piece of a recording by one speaker. */
export interface Segment {
  /** Relative to the manifest or folder. */
  readonly path: string;
  /** Of the decoded recording, at 16 kHz. */
  readonly startSample: number;
  /** 0: to the end of the recording. */
  readonly samples: number;
  /** Unique within its source. Recordings of unknown speakers share one name. */
  readonly speaker: string;
  readonly source: string;
  /** What is said, or an empty string. */
  readonly text: string;
  readonly split: Split;
}

const whole = z.string().regex(/^\d+$/, "a whole number").transform(Number);
const rowSchema = z.object({
  path: z.string().min(1),
  start_sample: whole.default(0),
  samples: whole.default(0),
  speaker: z.string().default(""),
  source: z.string().default(""),
  text: z.string().default(""),
  split: z.enum(SPLITS).default("train"),
});

const AUDIO_ENDINGS = [".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"];
/**
 * One speaker in ten of a folder is held out, or one recording in ten if there is only one speaker.
 */
const DEV_SHARE = 10;

/** Recordings, and the folder that their paths are relative to. */
export interface DataSet {
  readonly root: string;
  readonly segments: readonly Segment[];
}

/**
 * Reads a data set.
 *
 * @param path a CSV file with the columns path, start_sample, samples, speaker, source, text, split
 *   (all but the first are optional); or a folder, each of whose recordings is a segment by the
 *   speaker that its own folder names; one speaker in ten, and at least one, is held out as `dev`,
 *   or as many recordings if there is only one speaker
 * @throws {CpcError} `invalid_option`, naming the row and column at fault, or a path without
 *   recordings
 */
export async function readDataSet(path: string): Promise<DataSet> {
  const isFolder = await Deno.stat(path).then(({ isDirectory }) => isDirectory, (error) => {
    throw new CpcError(
      "invalid_option",
      `cannot read the data at ${path}: ${(error as Error).message}`,
    );
  });
  const segments = isFolder ? await folderSegments(path) : await readManifest(path);
  if (segments.length === 0) {
    throw new CpcError("invalid_option", `there are no recordings at ${path}`);
  }
  return { root: isFolder ? path : dirname(path), segments };
}

/** Reads a CSV file of segments. @throws {CpcError} as {@linkcode readDataSet} */
async function readManifest(file: string): Promise<Segment[]> {
  let rows: unknown[];
  try {
    rows = parse(await Deno.readTextFile(file), {
      columns: true,
      skip_empty_lines: true,
      bom: true,
    });
  } catch (error) {
    throw new CpcError(
      "invalid_option",
      `cannot read the manifest ${file}: ${(error as Error).message}`,
    );
  }
  return rows.map((value, i) => {
    const row = rowSchema.safeParse(value);
    if (!row.success) {
      const { path, message } = row.error.issues[0];
      throw new CpcError(
        "invalid_option",
        `row ${i + 1} of the manifest ${file}, column ${path.join(".")}: ${message}`,
      );
    }
    const { start_sample: startSample, ...rest } = row.data;
    return { ...rest, startSample };
  });
}

async function folderSegments(root: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  for await (const path of recordings(root)) {
    const name = relative(root, path);
    const folder = dirname(name);
    const [speaker, source] = folder === "." ? ["", ""] : [folder, folder.split(sep)[0]];
    segments.push({
      path: name,
      startSample: 0,
      samples: 0,
      speaker,
      source,
      text: "",
      split: "train",
    });
  }
  segments.sort((a, b) => a.path < b.path ? -1 : 1);
  const speakers = new Set(segments.map(({ speaker }) => speaker));
  const nameOf = speakers.size > 1
    ? ({ speaker }: Segment) => speaker
    : ({ path }: Segment) => path;
  const heldOut = heldOutOf(new Set(segments.map(nameOf)));
  return segments.map((segment) => ({
    ...segment,
    split: heldOut.has(nameOf(segment)) ? "dev" : "train",
  }));
}

/**
 * About one name in {@linkcode DEV_SHARE}, chosen independently of the other names; of two or more
 * names at least one, never all.
 */
function heldOutOf(names: ReadonlySet<string>): Set<string> {
  const byHash = [...names].sort((a, b) => hashOf(a) - hashOf(b));
  const chosen = byHash.filter((name) => hashOf(name) % DEV_SHARE === 0);
  const isSplit = chosen.length > 0 && chosen.length < names.size;
  return new Set(isSplit ? chosen : byHash.slice(0, Math.min(1, names.size - 1)));
}

async function* recordings(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* recordings(path);
    else if (AUDIO_ENDINGS.includes(extname(entry.name).toLowerCase())) yield path;
  }
}
