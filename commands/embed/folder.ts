/** The folder that `deno task embed --out` writes: whole files only, and what is done already. */
import { dirname, join } from "node:path";
import { UsageError } from "../../errors.ts";
import type { InputFile } from "./files.ts";

/** What a file's features depend on besides its audio. */
export type Making = Readonly<Record<string, unknown>>;

/** Features of a file, to be written. */
export interface Target {
  readonly file: InputFile;
  readonly path: string;
}

/**
 * Where each file's features go.
 *
 * @throws {UsageError} if two files have one target
 */
export function targetsOf(
  files: readonly InputFile[],
  { out, extension }: { out: string; extension: string },
): Target[] {
  const targets = new Map<string, Target>();
  for (const file of files) {
    const path = join(out, `${file.name}.${extension}`);
    const other = targets.get(path)?.file.path;
    if (other !== undefined) {
      throw new UsageError(`${other} and ${file.path} would both be written to ${path}`);
    }
    targets.set(path, { file, path });
  }
  return [...targets.values()];
}

/**
 * Notes in the folder how its files are made from now on, unless they are made so already.
 *
 * @returns since when (ms since the epoch) the folder's files with this extension are made so
 */
export async function madeSinceMs(
  out: string,
  { extension, making }: { extension: string; making: Making },
): Promise<number> {
  const path = join(out, `.embed-${extension}.json`);
  const text = JSON.stringify(making, null, 2) + "\n";
  try {
    const [kept, { mtime }] = await Promise.all([Deno.readTextFile(path), Deno.stat(path)]);
    if (kept === text && mtime) return mtime.getTime();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw new Error(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
    }
  }
  await writeWhole(path, new TextEncoder().encode(text));
  return (await Deno.stat(path)).mtime?.getTime() ?? Date.now();
}

/** The targets that are not there yet, or are older than their audio or than `sinceMs`. */
export async function undone(targets: readonly Target[], sinceMs: number): Promise<Target[]> {
  const found: Target[] = [];
  for (const target of targets) {
    const [made, audio] = await Promise.all(
      [target.path, target.file.path].map(async (path) =>
        (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime()
      ),
    );
    if (made === undefined || made < sinceMs || made < (audio ?? 0)) found.push(target);
  }
  return found;
}

/** Writes a file that appears when it is complete, in folders that are made on the way. */
export async function writeWhole(
  path: string,
  data: Uint8Array | ReadableStream<Uint8Array>,
): Promise<void> {
  const part = `${path}.part`;
  await Deno.mkdir(dirname(path), { recursive: true });
  try {
    await Deno.writeFile(part, data);
    await Deno.rename(part, path);
  } catch (error) {
    await Deno.remove(part).catch(() => {}); // it may never have been there
    throw error;
  }
}
