/** Labelled recordings for heads: a CSV file with a label per span, or one per recording. */
import { dirname, resolve } from "node:path";
import { parse } from "csv-parse/sync";
import { z } from "zod";
import { CpcError } from "../../errors.ts";
import type { Split } from "../manifest.ts";

const COLUMNS = ["path", "start_s", "end_s", "label", "speaker", "split"] as const;

/** A label, and where in a recording it holds. */
export interface LabelledSpan {
  /** Seconds from the recording's start. */
  readonly start: number;
  /** Exclusive; Infinity: to the recording's end. */
  readonly end: number;
  readonly label: string;
  /** Line of the CSV file, for messages. */
  readonly line: number;
}

/** A recording and its labels. */
export interface LabelledRecording {
  /** Relative to the CSV file. */
  readonly path: string;
  /** Empty if the file has no such column. */
  readonly speaker: string;
  /** Undefined if the file has no such column. */
  readonly split?: Split;
  /** In order, without overlaps. */
  readonly spans: readonly LabelledSpan[];
}

/** All labelled recordings, and the folder that their paths are relative to. */
export interface LabelledData {
  readonly root: string;
  readonly recordings: readonly LabelledRecording[];
}

const seconds = z.string().regex(/^\d+(\.\d*)?$|^\.\d+$/, "a number of seconds").transform(Number);
const rowSchema = z.object({
  path: z.string().min(1, "a path"),
  start_s: seconds.optional(),
  end_s: seconds.optional(),
  label: z.string().min(1, "a label; leave a span without one out"),
  speaker: z.string().default(""),
  split: z.enum(["train", "dev", "test"]).optional(),
});

/**
 * Reads the labels.
 *
 * @throws {CpcError} `invalid_option`, naming the line and column at fault, a column that is not
 *   known, spans that overlap, or a file without rows or with one label only
 */
export async function readLabels(file: string): Promise<LabelledData> {
  const text = await Deno.readTextFile(file).catch((error) => {
    throw refusal(`cannot read the labels: ${(error as Error).message}`);
  });
  return { root: dirname(file), recordings: parseLabels(text, file) };
}

/** Parses the labels. @throws {CpcError} as {@linkcode readLabels} */
export function parseLabels(text: string, file: string): LabelledRecording[] {
  const rows = rowsOf(text, file);
  const recordings = [...Map.groupBy(rows, ({ path }) => path)].map(([path, own]) => {
    const [{ speaker, split }] = own;
    const other = own.find((row) => row.speaker !== speaker || row.split !== split);
    if (other) {
      throw refusal(`${file}, line ${other.line}: ${path} has another speaker or split before`);
    }
    const spans = own.map(({ start_s: start = 0, end_s: end = Infinity, label, line }) => {
      if (end > start) return { start, end, label, line };
      throw refusal(`${file}, line ${line}: the span ends at ${end} s, it starts at ${start} s`);
    }).sort((a, b) => a.start - b.start);
    const over = spans.find((span, i) => i > 0 && span.start < spans[i - 1].end);
    if (over) {
      throw refusal(`${file}, line ${over.line}: the span overlaps another one of ${path}`);
    }
    return { path, speaker, split, spans };
  });
  const labels = labelsOf(recordings);
  if (labels.length === 1) {
    throw refusal(`${file} has the label ${JSON.stringify(labels[0])} only: a head needs two`);
  }
  return recordings;
}

/** Every label, sorted. */
export function labelsOf(recordings: readonly LabelledRecording[]): string[] {
  return [...new Set(recordings.flatMap(({ spans }) => spans.map(({ label }) => label)))].sort();
}

/** Checks that every recording is there. @throws {CpcError} `invalid_option`, naming its line */
export async function checkFiles({ root, recordings }: LabelledData): Promise<void> {
  for (const { path, spans } of recordings) {
    await Deno.stat(resolve(root, path)).catch((error) => {
      const line = Math.min(...spans.map(({ line }) => line));
      throw refusal(
        `line ${line} of the labels: cannot read ${path}: ${(error as Error).message}`,
      );
    });
  }
}

/**
 * Checks that every span lies within its recording.
 *
 * @param lengthS seconds of a recording
 * @throws {CpcError} `invalid_option`, naming the first that does not
 */
export function checkSpans(
  { recordings }: LabelledData,
  lengthS: (path: string) => number,
): void {
  for (const { path, spans } of recordings) {
    const length = lengthS(path);
    for (const { start, end, line } of spans) {
      const last = end === Infinity ? start : end;
      if (last <= length + ROUNDING_S && start < length) continue;
      throw refusal(
        `line ${line} of the labels: the span ends at ${last} s, but ${path} lasts ${
          length.toFixed(3)
        } s`,
      );
    }
  }
}

/** Ends written with two digits may lie this far behind the last sample. */
const ROUNDING_S = 0.01;

type Row = z.infer<typeof rowSchema> & { readonly line: number };

function rowsOf(text: string, file: string): Row[] {
  let table: { record: Record<string, string>; info: { lines: number } }[];
  try {
    table = parse(text, { columns: true, skip_empty_lines: true, bom: true, info: true }) as never;
  } catch (error) {
    throw refusal(`cannot read the labels ${file}: ${(error as Error).message}`);
  }
  if (table.length === 0) throw refusal(`${file} has no rows: ${FORM}`);
  const given = Object.keys(table[0].record);
  const unknown = given.find((name) => !COLUMNS.some((column) => column === name));
  if (unknown !== undefined) {
    throw refusal(`${file} has a column ${JSON.stringify(unknown)}: ${FORM}`);
  }
  if (given.includes("start_s") !== given.includes("end_s")) {
    throw refusal(`${file} has one of start_s and end_s: ${FORM}`);
  }
  return table.map(({ record, info: { lines: line } }) => {
    const row = rowSchema.safeParse(record);
    if (row.success) return { ...row.data, line };
    const { path, message } = row.error.issues[0];
    throw refusal(`${file}, line ${line}, column ${path.join(".")}: ${message}`);
  });
}

const FORM =
  "its columns are path,start_s,end_s,label or path,label, with speaker and split if known";

function refusal(message: string): CpcError {
  return new CpcError("invalid_option", message);
}
