/**
 * `deno task doctor`: what this machine has to compute with, how fast each engine is, what to do
 * for those that do not work.
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { ENGINE_KINDS, type EngineKind } from "../model/engine.ts";
import {
  type Candidate,
  CANDIDATES,
  checkOf,
  type CheckReport,
  type EngineReport,
  speedOf,
  systemOf,
} from "./doctor/parts.ts";
import { printChecks, printReport } from "./doctor/print.ts";

const HELP =
  `Says what this machine has: engines, devices, libraries, drivers, CPU features, and how fast each engine is.

usage: deno task doctor [--check] [--engine NAME] [--device NAME] [--json] [--model FOLDER]

  --check          hold engines against PyTorch's outputs on the recordings in tests/fixtures: |Δ| of each, exit status 1 beyond 1e-4
                   (CPC_DOCTOR_CHECK=1)
  --engine NAME    one engine: ${
    ENGINE_KINDS.join(" or ")
  } (CPC_DOCTOR_ENGINE; with --device alone: onnx)
  --device NAME    one device (CPC_DOCTOR_DEVICE): cpu, webgpu, cuda; with tfjs: cpu, gpu, wasm
  --json           for programs (CPC_DOCTOR_JSON=1)
  --model FOLDER   weights of the speed reading (CPC_MODEL; default weights/cpc-base)

Speed is in seconds of audio computed per second: one thread, 8 streams, for a second. Each engine runs in a process of its own, so
one that crashes or hangs is reported like any other. Exit status: 0 when an engine works (--check: when all that were checked are
within the tolerance), 1 when not, 2 for wrong usage.
`;

/** Runs the command; resolves to its exit status. */
export async function doctor(args: string[]): Promise<number> {
  try {
    const flags = flagsOf(args);
    if (flags.help) console.log(HELP);
    return flags.help ? 0 : flags.check ? await check(flags) : await report(flags);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`deno task doctor: ${error.message}; see --help`);
    return 2;
  }
}

type Flags = ReturnType<typeof flagsOf>;

async function report(flags: Flags): Promise<number> {
  const model = flags.model ?? (Deno.env.get("CPC_MODEL") || "weights/cpc-base");
  const candidates = chosen(flags);
  const system = await systemOf();
  const engines: EngineReport[] = [];
  for (const candidate of candidates) engines.push(await speedOf(candidate, model));
  if (flags.json) console.log(JSON.stringify({ ...system, engines }, null, 2));
  else printReport(system, engines);
  return engines.some(({ works }) => works) ? 0 : 1;
}

async function check(flags: Flags): Promise<number> {
  const candidates = chosen(flags);
  const checks: CheckReport[] = [];
  for (const candidate of candidates) checks.push(await checkOf(candidate));
  const passed = allPass(checks, { named: candidates !== CANDIDATES });
  if (flags.json) console.log(JSON.stringify({ passed, checks }, null, 2));
  else printChecks(checks);
  return passed ? 0 : 1;
}

/**
 * Whether a check passes as a whole. Engines that were `named` must work, too; of all that there
 * are, at least one.
 */
export function allPass(
  checks: readonly Pick<CheckReport, "works" | "passed">[],
  { named }: { named: boolean },
): boolean {
  const counted = named ? checks : checks.filter(({ works }) => works);
  return counted.length > 0 && counted.every(({ passed }) => passed);
}

function flagsOf(args: string[]) {
  const [text, yes] = [{ type: "string" }, { type: "boolean" }] as const;
  try {
    const options = {
      check: yes,
      engine: text,
      device: text,
      json: yes,
      model: text,
      help: { ...yes, short: "h" },
    } as const;
    const { values } = parseArgs({ args, options });
    const isOn = (name: string) => Deno.env.get(name) === "1";
    return {
      ...values,
      check: values.check ?? isOn("CPC_DOCTOR_CHECK"),
      json: values.json ?? isOn("CPC_DOCTOR_JSON"),
      engine: values.engine ?? (Deno.env.get("CPC_DOCTOR_ENGINE") || undefined),
      device: values.device ?? (Deno.env.get("CPC_DOCTOR_DEVICE") || undefined),
    };
  } catch (error) {
    throw new UsageError((error as Error).message.split(/\. |\.?\n/)[0]);
  }
}

function chosen({ engine, device }: { engine?: string; device?: string }): readonly Candidate[] {
  if (engine === undefined && device === undefined) return CANDIDATES;
  const kind = z.enum(ENGINE_KINDS).safeParse(engine ?? "onnx");
  if (!kind.success) {
    throw new UsageError(
      `--engine takes ${ENGINE_KINDS.join(", ")}, got ${JSON.stringify(engine)}`,
    );
  }
  return device === undefined
    ? CANDIDATES.filter(({ engine }) => engine === kind.data)
    : [candidate(kind.data, device)];
}

function candidate(engine: EngineKind, device: string): Candidate {
  const known = CANDIDATES.find((known) => known.engine === engine && known.device === device);
  return known ?? { engine, device, todo: "choose one of the devices of --help" };
}

if (import.meta.main) Deno.exit(await doctor(Deno.args));
