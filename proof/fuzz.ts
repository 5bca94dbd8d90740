/** `deno task fuzz`: broken and hostile input, for everything that takes input. */
import { runCommand } from "../commands/cli.ts";
import { choice, whole } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { MAX_SEED } from "../model/seeded.ts";
import { fuzz } from "./fuzz/harness.ts";
import { TARGETS } from "./fuzz/targets.ts";

const FUZZ = {
  name: "fuzz",
  about: "Feeds broken input to everything that takes input from outside.",
  usage: "[flags]",
  settings: twinned("CPC_FUZZ_", {
    inputs: whole({ min: 1, max: 1e9, fallback: 1_000_000, help: "inputs over all targets" }),
    seed: whole({ min: 0, max: MAX_SEED, fallback: 1, help: "makes a run repeatable" }),
    minutes: whole({ min: 1, max: 9999, fallback: 60, help: "ends by then, inputs left or not" }),
    only: choice(Object.keys(TARGETS), { value: "TARGET", words: "all", help: "one target" }),
  }),
  notes: [
    [
      "Targets:",
      ...Object.entries(TARGETS).map(([name, { about }]) => `  ${name.padEnd(13)}${about}`),
    ].join("\n"),
    "A fault is printed with its input, in base64 where it is bytes; the exit status is then 1.",
  ],
};

const status = await runCommand(FUZZ, async ({ inputs, seed, minutes, only }) => {
  const untilMs = performance.now() + minutes * 60_000;
  const names = only ? [only] : Object.keys(TARGETS);
  let [all, faults] = [0, 0];
  console.log("target        inputs  seconds  longest ms  memory MB  faults  answers");
  for (const name of names) {
    const target = TARGETS[name];
    const report = await fuzz(name, target, {
      inputs: only ? inputs : Math.round(inputs * target.share),
      seed,
      untilMs,
    });
    all += report.inputs;
    faults += report.faults.length;
    const answers = [...report.answers].sort(([, a], [, b]) => b - a);
    console.log([
      name.padEnd(11),
      String(report.inputs).padStart(8),
      report.seconds.toFixed(0).padStart(7),
      report.longestMs.toFixed(0).padStart(10),
      report.memoryMB.toFixed(0).padStart(9),
      String(report.faults.length).padStart(6),
      answers.map(([code, count]) => `${code} ${count}`).join(", "),
    ].join("  "));
    for (const fault of report.faults) console.log(`\nFAULT in ${fault}\n`);
  }
  console.log(`${all} inputs, ${faults} faults`);
  return faults > 0 ? 1 : 0;
}, { args: Deno.args });
Deno.exit(status);
