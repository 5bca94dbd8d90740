/** `deno task mutate`: breaks the code in small ways, and sees whether its tests notice. */
import { runCommand } from "../commands/cli.ts";
import { choice, whole } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { below, hashOf, MAX_SEED, seeded } from "../model/seeded.ts";
import { type Mutant, mutantsOf } from "./mutate/operators.ts";

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
    timeoutS: whole({ min: 1, max: 3600, fallback: 300, unit: "s", help: "for each mutant" }),
  }),
  notes: ["Works in a copy of the repository's folder. Survivors are printed."],
};

const status = await runCommand(MUTATE, async ({ only, limit, seed, least, timeoutS }) => {
  const copy = await Deno.makeTempDir();
  let enough = true;
  try {
    await copyTo(copy);
    for (const folder of only ? [only] : FOLDERS) {
      if (!await passes(copy, { paths: [`tests/${folder}`], timeoutS })) {
        throw new Error(`the tests of ${folder} fail before anything is changed`);
      }
      const sample = await sampleOf(folder, { limit, seed });
      let killed = 0;
      for (const { file, text, mutant } of sample) {
        const { from, to, replacement, line, what } = mutant;
        await Deno.writeTextFile(
          `${copy}/${file}`,
          text.slice(0, from) + replacement + text.slice(to),
        );
        const survived = await passes(copy, { paths: await testsOf(file), timeoutS }) &&
          await passes(copy, { paths: [`tests/${folder}`], timeoutS });
        await Deno.writeTextFile(`${copy}/${file}`, text);
        if (survived) console.log(`SURVIVED ${file}:${line}: ${what}`);
        else killed++;
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
async function sampleOf(
  folder: string,
  { limit, seed }: { limit: number; seed: number },
): Promise<{ file: string; text: string; mutant: Mutant }[]> {
  const { stdout } = await new Deno.Command("git", { args: ["ls-files", `${folder}/*.ts`] })
    .output();
  const all: { file: string; text: string; mutant: Mutant }[] = [];
  for (const file of new TextDecoder().decode(stdout).trim().split("\n")) {
    const text = await Deno.readTextFile(file);
    all.push(...mutantsOf(text).map((mutant) => ({ file, text, mutant })));
  }
  const random = seeded(hashOf(folder, seed));
  return Array.from(
    { length: Math.min(limit, all.length) },
    () => all.splice(below(all.length, random), 1)[0],
  );
}

/** The mirrored test of a file, which is the quickest to notice; none where there is none. */
async function testsOf(file: string): Promise<string[]> {
  const path = `tests/${file.replace(/\.ts$/, "_test.ts")}`;
  return await Deno.stat(path).then(() => [path], () => []);
}

/** Whether tests pass in time. */
async function passes(
  cwd: string,
  { paths, timeoutS }: { paths: readonly string[]; timeoutS: number },
): Promise<boolean> {
  if (paths.length === 0) return true;
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  const flags = String(tasks.test).split(" ").slice(2).filter((flag) => flag !== "--doc");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", ...flags, "--no-check", "--fail-fast", ...paths],
    cwd,
    stdout: "null",
    stderr: "null",
  }).spawn();
  const late = setTimeout(() => child.kill("SIGKILL"), timeoutS * 1000);
  const { success } = await child.status;
  clearTimeout(late);
  return success;
}
