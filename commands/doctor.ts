/**
 * `deno task doctor`: what this machine can compute with, how fast each engine is, and what to do
 * about those that do not work.
 */
import type { Values } from "../config/setting.ts";
import type { EngineKind } from "../model/engine.ts";
import { runCommand } from "./cli.ts";
import { DOCTOR } from "./doctor/options.ts";
import { type Candidate, CANDIDATES } from "./doctor/candidates.ts";
import { checkOf, type CheckReport, type EngineReport, speedOf } from "./doctor/engines.ts";
import { systemOf } from "./doctor/system.ts";
import { printChecks, printReport } from "./doctor/print.ts";

type Flags = Values<typeof DOCTOR.settings>;

/** Runs the command; resolves to its exit status. */
export function doctor(args: string[]): Promise<number> {
  return runCommand(DOCTOR, (flags) => flags.check ? check(flags) : report(flags), { args });
}

async function report(flags: Flags): Promise<number> {
  const candidates = chosen(flags);
  const system = await systemOf();
  const engines: EngineReport[] = [];
  for (const candidate of candidates) engines.push(await speedOf(candidate, flags.model));
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
 * Whether a check passes as a whole. Every `named` engine must also work; otherwise, at least one
 * must.
 */
export function allPass(
  checks: readonly Pick<CheckReport, "works" | "passed">[],
  { named }: { named: boolean },
): boolean {
  const counted = named ? checks : checks.filter(({ works }) => works);
  return counted.length > 0 && counted.every(({ passed }) => passed);
}

function chosen({ engine, device }: Flags): readonly Candidate[] {
  if (device !== undefined) return [candidate(engine ?? "onnx", device)];
  return engine === undefined
    ? CANDIDATES
    : CANDIDATES.filter((candidate) => candidate.engine === engine);
}

function candidate(engine: EngineKind, device: string): Candidate {
  const known = CANDIDATES.find((known) => known.engine === engine && known.device === device);
  return known ?? { engine, device, todo: "choose one of the devices of --help" };
}

if (import.meta.main) Deno.exit(await doctor(Deno.args));
