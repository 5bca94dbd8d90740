/** Which tests load a file, the nearest first. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What a file names of others: it imports them, or starts them as threads and programs. */
const NAMED = /["'`](\.\.?\/[^"'`$\s]+\.ts)["'`]/g;

/**
 * The files of a repository that load others, found by the paths in their text.
 *
 * @param root the repository's folder
 */
export function importersIn(root: string): Map<string, string[]> {
  const importers = new Map<string, string[]>();
  for (const file of globSync("**/*.ts", { cwd: root })) {
    const named = readFileSync(join(root, file), "utf8").matchAll(NAMED);
    for (const path of new Set(Array.from(named, ([, path]) => join(dirname(file), path)))) {
      importers.set(path, [...importers.get(path) ?? [], file]);
    }
  }
  return importers;
}

/**
 * The tests below a folder, and those at the root of all tests, that load a file, by the number of
 * files between. Its own test is the first, those at the root are the last.
 *
 * @param importers of {@linkcode importersIn}
 */
export function testsOf(
  file: string,
  { importers, folder }: { importers: ReadonlyMap<string, readonly string[]>; folder: string },
): string[] {
  const reached = new Set([file]);
  for (const at of reached) for (const by of importers.get(at) ?? []) reached.add(by);
  const tests = [...reached].filter((path) => path.endsWith("_test.ts"));
  const own = `tests/${file.replace(/\.ts$/, "_test.ts")}`;
  return [
    ...tests.filter((path) => path === own),
    ...tests.filter((path) => path !== own && path.startsWith(`${folder}/`)),
    ...tests.filter((path) => dirname(path) === "tests"),
  ];
}
