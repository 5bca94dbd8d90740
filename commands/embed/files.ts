/** The files that `deno task embed` is given: by name, in folders, by patterns, in shards. */
import { glob } from "node:fs/promises";
import { basename, extname, join, relative } from "node:path";
import { UsageError } from "../../errors.ts";

/** Names by which audio is found in a folder. */
const AUDIO_EXTENSIONS = [".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"];
const PATTERN = /[*?[{]/;

/** An audio file, or standard input. */
export interface InputFile {
  /** `-` for standard input */
  readonly path: string;
  /** Its path below the folder or pattern that it was found by, without extension. */
  readonly name: string;
}

/** Share `index` (1-based) of `count` that many machines have of one collection. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/**
 * Finds the files: those in folders and of patterns are sorted.
 *
 * @throws {UsageError} for a folder without audio, and for a pattern that nothing matches
 */
export async function inputFiles(operands: readonly string[]): Promise<InputFile[]> {
  const found = new Map<string, InputFile>();
  for (const operand of operands) {
    for (const file of await filesOf(operand)) {
      if (!found.has(file.path)) found.set(file.path, file);
    }
  }
  return [...found.values()];
}

/** Every `count`-th file of the sorted list. */
export function shardOf(files: readonly InputFile[], { index, count }: Shard): InputFile[] {
  return sorted(files).filter((_, i) => i % count === index - 1);
}

/** By code units, so that the order is the same on every machine. */
function sorted(files: readonly InputFile[]): InputFile[] {
  return files.toSorted((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}

async function filesOf(operand: string): Promise<InputFile[]> {
  if (operand === "-") return [{ path: "-", name: "stdin" }];
  const info = await Deno.stat(operand).catch(() => undefined);
  if (info?.isDirectory) {
    const paths = (await Array.fromAsync(walk(operand)))
      .filter((path) => AUDIO_EXTENSIONS.includes(extname(path).toLowerCase()));
    if (paths.length > 0) return sorted(paths.map((path) => named(path, operand)));
    throw new UsageError(`${operand} holds no audio files (${AUDIO_EXTENSIONS.join(", ")})`);
  }
  // a name that does not exist is reported when it is read
  if (info || !PATTERN.test(operand)) return [{ path: operand, name: withoutExtension(operand) }];
  const files: InputFile[] = [];
  const base = operand.split("/").slice(0, operand.split("/").findIndex((p) => PATTERN.test(p)));
  for await (const path of glob(operand)) {
    if ((await Deno.stat(path)).isFile) files.push(named(path, base.join("/")));
  }
  if (files.length === 0) throw new UsageError(`no file matches ${operand}`);
  return sorted(files);
}

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* walk(path);
    else if (entry.isFile || (await Deno.stat(path).catch(() => undefined))?.isFile) yield path;
  }
}

function named(path: string, folder: string): InputFile {
  const name = relative(folder, path);
  return { path, name: name.slice(0, name.length - extname(name).length) };
}

function withoutExtension(path: string): string {
  return basename(path, extname(path));
}
