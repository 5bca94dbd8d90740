/**
 * `deno task gpu`: what the owner of a card wants to know of it, in one run: whether it computes
 * what PyTorch does, how many live streams it holds, how fast it trains.
 */
import { join } from "node:path";
import { z } from "zod";
import { median } from "../bench/statistics.ts";
import { runCommand } from "../commands/cli.ts";
import { choice, text, whole } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { MODEL_SETTING } from "../config/settings.ts";
import { type DeviceRow, linesOf, linesOfDoctor, type TrainingRow } from "./gpu/report.ts";
import { run, runTask, Steps } from "./gpu/steps.ts";

/** What is done, in this order. */
const PARTS = {
  check: "every engine on a card beside PyTorch's outputs (doctor --check)",
  live: "the largest number of live streams at p99 ≤ 40 ms (bench --only capacity)",
  engines: "the speed of every engine (bench --only engines)",
  train: "training on WebGPU",
  torch: "PyTorch's own rates, with --python",
} as const;
const PART_NAMES = Object.keys(PARTS) as (keyof typeof PARTS)[];

const GPU = {
  name: "gpu",
  about: "Checks and measures every card that answers here, and prints a table for docs/gpu.md.",
  usage: "[flags]",
  settings: {
    model: MODEL_SETTING,
    ...twinned("CPC_GPU_", {
      only: choice(PART_NAMES, { value: "PART", words: "all", help: "one part" }),
      python: text({
        value: "PATH",
        words: "PyTorch is left out",
        help: "a Python that has torch, to be measured on the same card",
      }),
      minutes: whole({ min: 1, max: 9999, fallback: 5, help: "how long it trains on WebGPU" }),
      config: text({
        value: "FILE",
        fallback: "training/configs/cpc-base-gpu.json",
        help: "what it trains; a driver in software needs a smaller one",
      }),
      data: text({
        value: "PATH",
        fallback: "tests/fixtures/speech",
        help: "recordings to train on: manifest (CSV) or folder",
      }),
      seconds: whole({
        min: 1,
        max: 9999,
        fallback: 20,
        help: "seconds of audio per stream at each number of live streams",
      }),
      out: text({ value: "DIR", fallback: "gpu-report", help: "a folder for report.json" }),
    }),
  },
  notes: [
    ["Parts:", ...Object.entries(PARTS).map(([name, what]) => `  ${name.padEnd(9)}${what}`)]
      .join("\n"),
    "The servers of the part live read CPC_MAX_STREAMS (1024 by default) and so on, as " +
    "`deno task start` does.",
    "A step that fails is named, and the next begins. Exit status 1 when one failed, or when no " +
    "card answers, not even as a driver in software.",
  ],
};

/** Devices that are cards. */
const CARDS = ["webgpu", "cuda", "gpu"];
/** What the report says of the machine, of all that `doctor` knows. */
const MACHINE = ["NVIDIA driver", "Vulkan", "Deno's WebGPU adapter"];

const doctorAnswer = z.object({
  libraries: z.array(z.object({ name: z.string(), detail: z.string() })),
  engines: z.array(z.object({
    engine: z.string(),
    device: z.string(),
    works: z.boolean(),
    why: z.string().optional(),
    warning: z.string().optional(),
  })),
});
const checkAnswer = z.object({
  checks: z.tuple([z.object({
    largest: z.number().nullable().optional(),
    passed: z.boolean(),
    why: z.string().optional(),
  })]),
});
const capacityFile = z.object({ largest: z.number() });
const torchAnswer = z.object({
  torch: z.string(),
  device: z.string(),
  rates: z.record(z.string(), z.number()),
});
const logLine = z.object({
  train: z.object({ nce: z.number(), audio_s_per_s: z.number() }).optional(),
});

const status = await runCommand(GPU, async ({ model, only, seconds, python, out, ...training }) => {
  await Deno.mkdir(out, { recursive: true });
  const steps = new Steps();
  const take = async <T>(part: keyof typeof PARTS, name: string, work: () => Promise<T>) =>
    only === undefined || only === part ? await steps.take(name, work) : undefined;
  const found = await steps.take("doctor", () => doctor(model));
  if (!found) return 1;
  const cards = found.engines.filter(({ device }) => CARDS.includes(device));
  const cpu = found.engines.filter(({ engine, device }) => engine === "onnx" && device === "cpu");
  if (cards.length === 0) throw new Error("no card answers: see above, and docs/gpu.md");
  const rows: DeviceRow[] = [];
  for (const { engine, device, warning } of [...cards, ...cpu]) {
    const name = `${engine} on ${device}`;
    const largest = await take(
      "check",
      `${name} beside PyTorch's outputs`,
      () => check(engine, device),
    );
    const live = await take(
      "live",
      `${name}: live streams`,
      () => capacity({ engine, device, model, seconds, out: join(out, `${engine}-${device}`) }),
    );
    rows.push({ name, warning, largest, live });
  }
  await take(
    "engines",
    "every engine",
    () => runTask("bench", { args: ["--only", "engines", "--model", model] }),
  );
  const trained = await take("train", "training on webgpu", () => train(training));
  const torch = python === undefined
    ? undefined
    : await take("torch", "PyTorch", async () =>
      torchAnswer.parse(JSON.parse(
        await run(python, {
          args: [new URL("gpu/torch_rate.py", import.meta.url).pathname, training.config],
        }),
      )));
  const { machine } = found;
  const date = new Date().toISOString();
  const report = { date, machine, model, rows, trained, torch, steps: steps.outcomes };
  await Deno.writeTextFile(join(out, "report.json"), JSON.stringify(report, null, 2) + "\n");
  for (const line of ["", ...linesOf(report)]) console.log(line);
  return steps.anyFailed ? 1 : 0;
}, { args: Deno.args });

/** What the machine has, and the engines that work on it. */
async function doctor(model: string) {
  const said = await runTask("doctor", { args: ["--json", "--model", model], shows: false });
  const { libraries, engines } = doctorAnswer.parse(JSON.parse(said));
  const machine = libraries.filter(({ name }) => MACHINE.includes(name));
  for (const line of linesOfDoctor({ machine, engines })) console.log(line);
  return { machine, engines: engines.filter(({ works }) => works) };
}

/** Largest |Δ| against PyTorch. @throws {Error} when it is beyond the tolerance */
async function check(engine: string, device: string): Promise<number> {
  const args = ["--check", "--json", "--engine", engine, "--device", device];
  const said = await runTask("doctor", { args, most: 1, shows: false });
  const [{ largest, passed, why }] = checkAnswer.parse(JSON.parse(said)).checks;
  if (passed && largest !== null && largest !== undefined) {
    console.log(`largest |Δ| ${largest.toExponential(1)}`);
    return largest;
  }
  throw new Error(why ?? `largest |Δ| ${largest}: beyond the tolerance`);
}

/** Most live streams of a server on a device. */
async function capacity(
  { engine, device, model, seconds, out }: Record<"engine" | "device" | "model" | "out", string> & {
    seconds: number;
  },
): Promise<number> {
  const flags = { model, seconds: String(seconds), out };
  await runTask("bench", {
    args: ["--only", "capacity", ...Object.entries(flags).flatMap(([k, v]) => [`--${k}`, v])],
    env: { CPC_ENGINE: engine, CPC_DEVICE: device },
  });
  const text = await Deno.readTextFile(join(out, "capacity.json"));
  return capacityFile.parse(JSON.parse(text)).largest;
}

/** Trains for some minutes. @throws {Error} when that is not enough for a line of the log */
async function train(
  { config, data, minutes }: { config: string; data: string; minutes: number },
): Promise<TrainingRow> {
  const folder = await Deno.makeTempDir();
  try {
    const flags = { config, data, minutes: String(minutes), out: folder, device: "webgpu" };
    await runTask("train", {
      args: Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
      minutes: 2 * minutes + 10,
    });
    const log = (await Deno.readTextFile(join(folder, "log.jsonl"))).trim().split("\n");
    const lines = log.flatMap((line) => line ? logLine.parse(JSON.parse(line)).train ?? [] : []);
    if (lines.length < 2) {
      throw new Error(`fewer than 40 steps in ${minutes} min: name a smaller --config, or more`);
    }
    return {
      config,
      steps: 20 * lines.length,
      // the first line has the compilation of shaders in it
      audioSecondsPerSecond: median(lines.slice(1).map((line) => line.audio_s_per_s)),
      nce: { first: lines[0].nce, last: lines[lines.length - 1].nce },
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.exit(status);
