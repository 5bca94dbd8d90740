/** A case of `deno task chaos`: what it gets, and how what came of it is judged. */
import type { Clip } from "../clips.ts";
import type { Met } from "./healthy.ts";

/** What a case runs with. */
export interface Scene {
  readonly model: string;
  readonly clips: readonly Clip[];
  /** How long the harm lasts, or is repeated, in ms. */
  readonly harmMs: number;
  readonly random: () => number;
}

/** What a case gave; `broken`: promises that did not hold. */
export interface Outcome extends Met {
  readonly broken: readonly string[];
}

/** A case cannot run here. */
export class LeftOut extends Error {
  override readonly name = "LeftOut";
}

/** A kind of harm. */
export interface Case {
  readonly harm: string;
  readonly promise: string;
  run(scene: Scene): Promise<Outcome>;
}

/** What came of a case; a close code that is not in `mayLose` breaks a promise. */
export function judged(met: Met, broken: string[], mayLose: readonly number[] = []): Outcome {
  broken.push(...met.wrong);
  for (const [code, times] of met.lost) {
    if (!mayLose.includes(code)) broken.push(`${times} healthy streams were closed with ${code}`);
  }
  if (met.finished === 0) broken.push("no healthy stream finished");
  return { ...met, broken };
}
