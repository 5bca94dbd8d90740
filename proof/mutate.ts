/** `deno task mutate`: breaks the code in small ways, and sees whether its tests notice. */
import { globSync, readFileSync } from "node:fs";
import { taskWords } from "../bench/task_words.ts";
import { runCommand } from "../commands/cli.ts";
import { choice, whole } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { below, hashOf, MAX_SEED, seeded } from "../model/seeded.ts";
import { type Mutant, mutantsOf } from "./mutate/operators.ts";
import { importersIn, testsOf } from "./mutate/reach.ts";
import { type Outcome, runTests } from "./mutate/test_run.ts";

const FOLDERS = ["streaming", "inference", "model", "routes"];

const MUTATE = {
  name: "mutate",
  about: "Breaks the code in small ways, one at a time, and sees whether its tests notice.",
  usage: "[flags]",
  settings: twinned("CPC_MUTATE_", {
    only: choice(FOLDERS, { value: "FOLDER", words: "all four", help: "one folder" }),
    limit: whole({ min: 1, max: 99_999, fallback: 40, help: "mutants of each folder" }),
    seed: whole({ min: 0, max: MAX_SEED, fallback: 1, help: "which mutants" }),
    least: whole({ min: 0, max: 100, fallback: 0, help: "per cent that must be killed" }),
    timeoutS: whole({ min: 1, max: 3600, fallback: 120, unit: "s", help: "most for one test" }),
  }),
  notes: [
    "Works in a copy of the repository's folder. Prints each mutant, and the test that noticed it.",
  ],
};

/** No test loads the file. */
const UNTESTED: Outcome = { passed: true };

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => stopping.abort(new Error(`${signal}: stopped`)));
}

const status = await runCommand(MUTATE, async ({ only, limit, seed, least, timeoutS }) => {
  const copy = await Deno.makeTempDir();
  const [, ...words] = await taskWords("test:file"); // after `test`
  const flags = [...words, "--ignore=**/*_slow_test.ts"];
  const options = { cwd: copy, flags, timeoutS, stop: stopping.signal };
  let enough = true;
  try {
    await copyTo(copy);
    const importers = importersIn(copy);
    for (const folder of only ? [only] : FOLDERS) {
      const before = await runTests([`tests/${folder}`], options);
      if (!before.passed) {
        throw new Error(
          `the tests of ${folder} fail before anything is changed: ${before.by}`,
        );
      }
      const sample = sampleOf(folder, { copy, limit, seed });
      let killed = 0;
      for (const { file, text, mutant } of sample) {
        const { from, to, replacement, line, what } = mutant;
        await Deno.writeTextFile(
          `${copy}/${file}`,
          text.slice(0, from) + replacement + text.slice(to),
        );
        const tests = testsOf(file, { importers, folder: `tests/${folder}` });
        const after = tests.length > 0 ? await runTests(tests, options) : UNTESTED;
        await Deno.writeTextFile(`${copy}/${file}`, text);
        const fate = after.passed ? "SURVIVED" : "killed";
        console.log(`${fate} ${file}:${line}: ${what}${after.passed ? "" : ` (${after.by})`}`);
        if (!after.passed) killed++;
      }
      const rate = 100 * killed / sample.length;
      console.log(`${folder}: ${killed} of ${sample.length} killed, ${rate.toFixed(0)} %`);
      if (rate < least) enough = false;
    }
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
  return enough ? 0 : 1;
}, { args: Deno.args });
Deno.exit(status);

/** The tracked files of this repository, as they are now. */
async function copyTo(folder: string): Promise<void> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", 'git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$0"', folder],
  }).output();
  if (!success) throw new Error("the repository cannot be copied");
}

/** Mutants of a folder, drawn by the seed from all of its files. */
function sampleOf(
  folder: string,
  { copy, limit, seed }: { copy: string; limit: number; seed: number },
): { file: string; text: string; mutant: Mutant }[] {
  const all = globSync(`${folder}/**/*.ts`, { cwd: copy }).sort().flatMap((file) => {
    const text = readFileSync(`${copy}/${file}`, "utf8");
    return mutantsOf(text).map((mutant) => ({ file, text, mutant }));
  });
  const random = seeded(hashOf(folder, seed));
  return Array.from(
    { length: Math.min(limit, all.length) },
    () => all.splice(below(all.length, random), 1)[0],
  );
}
