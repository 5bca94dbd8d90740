/** `deno task chaos`: hurts a server in every way that machines do, beside healthy streams. */
import { runCommand } from "../commands/cli.ts";
import { choice, whole } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { MODEL_SETTING } from "../config/settings.ts";
import { MAX_SEED, seeded } from "../model/seeded.ts";
import { loadWeights } from "../model/weights.ts";
import { LeftOut } from "./chaos/case.ts";
import { CASES } from "./chaos/cases.ts";
import { clipOf } from "./clips.ts";

const CHAOS = {
  name: "chaos",
  about: "Hurts a server as machines do, beside healthy streams that are compared with offline.",
  usage: "[flags]",
  settings: twinned("CPC_CHAOS_", {
    model: MODEL_SETTING,
    minutes: whole({ min: 1, max: 9999, fallback: 5, help: "about how long all cases take" }),
    only: choice(Object.keys(CASES), { value: "CASE", words: "all", help: "one case" }),
    seed: whole({ min: 0, max: MAX_SEED, fallback: 1, help: "of the random moments" }),
  }),
  notes: [
    ["Cases:", ...Object.entries(CASES).map(([name, { harm }]) => `  ${name.padEnd(14)}${harm}`)]
      .join("\n"),
    "Linux; some cases need root, gdb's rights (ptrace) or libfaketime, and say so where " +
    "they lack them.",
  ],
};

/** What a case takes beside the harm, in ms: a start, a clip to its end, a drain. */
const AROUND_MS = 15_000;

const status = await runCommand(CHAOS, async ({ model, minutes, only, seed }) => {
  const weights = await loadWeights(model);
  const clips = [2, 3, 4].map((seconds) => clipOf(weights, { seconds, seed: seconds }));
  const names = only ? [only] : Object.keys(CASES);
  const harmMs = Math.max(3000, minutes * 60_000 / names.length - AROUND_MS);
  let failed = 0;
  console.log("case           finished  resumed  lost          p50 ms   p99 ms  longest ms");
  for (const name of names) {
    const { run, promise } = CASES[name];
    try {
      const { finished, resumed, lost, p50, p99, longestMs, broken } = await run({
        model,
        clips,
        harmMs,
        random: seeded(seed),
      });
      console.log([
        name.padEnd(13),
        String(finished).padStart(8),
        String(resumed).padStart(7),
        ([...lost].map(([code, times]) => `${times}×${code}`).join(" ") || "-").padEnd(12),
        p50.toFixed(1).padStart(7),
        p99.toFixed(1).padStart(7),
        longestMs.toFixed(0).padStart(10),
      ].join("  "));
      if (broken.length > 0) failed++;
      for (const what of broken) console.log(`  BROKEN: ${what}; promised: ${promise}`);
    } catch (error) {
      if (!(error instanceof LeftOut)) throw error;
      console.log(`${name.padEnd(13)}  left out: ${error.message}`);
    }
  }
  console.log(`${failed} of ${names.length} cases broke a promise`);
  return failed > 0 ? 1 : 0;
}, { args: Deno.args });
Deno.exit(status);
