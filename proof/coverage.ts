/**
 * `deno task coverage FOLDER`: the table of what a run of tests with `--coverage=FOLDER` reached,
 * and an exit status of 1 where that is too little.
 */
import { join } from "node:path";
import { runCommand } from "../commands/cli.ts";
import { whole } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { UsageError } from "../errors.ts";

const ROOT = new URL("../", import.meta.url).href;

const COVERAGE = {
  name: "coverage",
  about: "Checks how many lines a run of the tests reached.",
  usage: "FOLDER [flags]",
  operands: "what `deno task test --coverage=FOLDER` wrote",
  settings: twinned("CPC_COVERAGE_", {
    least: whole({ min: 0, max: 100, fallback: 90, help: "least per cent of lines" }),
  }),
};
/**
 * What is not the project's own code (`.tfjs`, …), or is tried by running it: tools, tests, pages.
 */
const LEFT_OUT = [
  "\\.",
  "node_modules",
  "tests",
  "proof",
  "bench",
  "conformance",
  "web",
  "client/cpc_client.js",
];

/**
 * The per cent of lines in the last row of `deno coverage`'s table.
 *
 * @throws {UsageError} if there is no such row
 */
export function linesReached(table: string): number {
  const row = table.split("\n").find((line) => /^\|\s*All files\s*\|/.test(line));
  const cells = row?.split("|").map((cell) => cell.trim()).filter((cell) => cell !== "");
  const lines = Number(cells?.at(-1));
  if (!Number.isFinite(lines)) throw new UsageError("there is no coverage in this folder");
  return lines;
}

/**
 * Removes what a process that was killed wrote by half: `deno coverage` reads nothing beside it.
 *
 * @returns how many files it removed
 */
export async function removeCutFiles(folder: string): Promise<number> {
  let removed = 0;
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".json")) continue;
    const path = join(folder, name);
    try {
      JSON.parse(await Deno.readTextFile(path));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      await Deno.remove(path);
      removed++;
    }
  }
  return removed;
}

if (import.meta.main) {
  const status = await runCommand(COVERAGE, async ({ least }, [folder], { print }) => {
    if (folder === undefined) throw new UsageError("a folder is needed");
    const removed = await removeCutFiles(folder);
    if (removed > 0) print(`${removed} files of processes that were killed are cut off: left out`);
    const paths = LEFT_OUT.join("|");
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["coverage", "--quiet", `--include=^${ROOT}`, `--exclude=^${ROOT}(${paths})`, folder],
      env: { NO_COLOR: "1" },
      stderr: "inherit",
    }).output();
    const table = new TextDecoder().decode(stdout);
    print(table);
    const lines = linesReached(table);
    print(`${lines} % of the lines are reached by tests; at least ${least} % must be`);
    return lines >= least ? 0 : 1;
  }, { args: Deno.args });
  Deno.exit(status);
}
