/** What `deno task doctor` finds out about an engine: its speed, or its distance from PyTorch. */
import { resolve } from "node:path";
import { z } from "zod";
import { UsageError } from "../../errors.ts";
import { ask } from "./ask.ts";
import type { Candidate } from "./candidates.ts";

/** How long the check may take. A software driver needs minutes. */
const CHECK_MS = 1_800_000;

const speedAnswer = z.object({
  library: z.string(),
  warning: z.string().optional(),
  audio_seconds_per_second: z.number(),
  int8: z.discriminatedUnion("works", [
    z.object({
      works: z.literal(true),
      warning: z.string().optional(),
      audio_seconds_per_second: z.number(),
    }),
    z.object({ works: z.literal(false), why: z.string() }),
  ]).optional(),
});
const fixture = z.object({
  name: z.string(),
  frames: z.number(),
  latent: z.number().nullable(), // null: not a number
  context: z.number().nullable(),
  prediction: z.number().nullable().optional(),
});
const checkAnswer = z.object({
  library: z.string(),
  warning: z.string().optional(),
  tolerance: z.number(),
  largest: z.number().nullable(),
  passed: z.boolean(),
  fixtures: z.array(fixture),
});
type Asked = Pick<Candidate, "engine" | "device">;
interface Failure {
  readonly works: false;
  readonly why: string;
  readonly todo: string;
}
/** The speed of an engine. */
export type EngineReport =
  & Asked
  & (({ readonly works: true } & z.infer<typeof speedAnswer>) | Failure);
/** The result of checking an engine against the fixtures. */
export type CheckReport =
  & Asked
  & (({ readonly works: true } & z.infer<typeof checkAnswer>) | (Failure & { passed: false }));

/**
 * Measures an engine's speed for a second, or explains why it has none. @throws {UsageError} for a
 * weights folder that does not load
 */
export async function speedOf(
  { engine, device, todo }: Candidate,
  model: string,
): Promise<EngineReport> {
  try {
    return {
      engine,
      device,
      works: true,
      ...await ask(speedAnswer, ["speed", engine, device, resolve(model)]),
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    return { engine, device, works: false, why: (error as Error).message, todo };
  }
}

/** Compares an engine with PyTorch on all fixtures. */
export async function checkOf({ engine, device, todo }: Candidate): Promise<CheckReport> {
  try {
    return {
      engine,
      device,
      works: true,
      ...await ask(checkAnswer, ["check", engine, device], CHECK_MS),
    };
  } catch (error) {
    return { engine, device, works: false, passed: false, why: (error as Error).message, todo };
  }
}
