/** Feeds a target, and looks at what happens: faults, stalls, memory. */
import { CpcError, UsageError } from "../../errors.ts";
import { hashOf, seeded } from "../../model/seeded.ts";
import { METER_TICK_MS, StallMeter, threadMs } from "../cpu_time.ts";
import type { Opened, Target } from "./target.ts";

/** Inputs between two looks at the memory and the event loop. */
const BATCH = 250;
/** What an input may add to the process's memory for good. */
const MEMORY_BOUND_MB = 768;
/** Faults of a target after which it ends. */
const MOST_FAULTS = 5;
/** An input that took longer is timed again. */
const WORTH_A_LOOK_MS = 5;
const SHOWN_CHARACTERS = 4000;

/** What a run of a target gave. */
export interface Report {
  inputs: number;
  /** Inputs that were taken, and refusals by their code. */
  readonly answers: Map<string, number>;
  readonly faults: string[];
  /** Longest time on this thread for one input, in ms. */
  longestMs: number;
  /** Most memory above that at the start, in MB. */
  memoryMB: number;
  seconds: number;
}

/**
 * Fuzzes one target.
 *
 * @param options `inputs`: how many; `seed`: makes it repeatable; `untilMs`: ends by then on
 *   `performance.now()`
 */
export async function fuzz(
  name: string,
  target: Target,
  { inputs, seed, untilMs = Infinity }: { inputs: number; seed: number; untilMs?: number },
): Promise<Report> {
  const opened = await target.open();
  const report: Report = {
    inputs: 0,
    answers: new Map(),
    faults: [],
    longestMs: 0,
    memoryMB: 0,
    seconds: 0,
  };
  const meter = new StallMeter();
  const unhandled: unknown[] = [];
  const onUnhandled = (event: PromiseRejectionEvent | ErrorEvent) => {
    event.preventDefault();
    unhandled.push(event instanceof ErrorEvent ? event.error : event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onUnhandled);
  globalThis.addEventListener("error", onUnhandled);
  const baseMB = Deno.memoryUsage().rss / 2 ** 20;
  const started = performance.now();
  const fault = (what: string) => report.faults.push(`${name}: ${what}`);
  try {
    for (let batch = 0; report.inputs < inputs && performance.now() < untilMs; batch++) {
      const random = seeded(hashOf(name, seed, batch));
      for (let i = 0; i < BATCH && report.inputs < inputs; i++) {
        const input = opened.draw(random);
        report.inputs += await feedOne(opened, input, { target, report, fault, meter });
      }
      await new Promise((resolve) => setTimeout(resolve));
      try {
        await opened.check?.();
      } catch (error) {
        fault(`after batch ${batch}, what worked before fails: ${stackOf(error)}`);
      }
      for (const error of unhandled.splice(0)) fault(`nobody caught ${stackOf(error)}`);
      report.memoryMB = Math.max(report.memoryMB, Deno.memoryUsage().rss / 2 ** 20 - baseMB);
      if (report.faults.length >= MOST_FAULTS) break;
    }
    if (report.memoryMB > MEMORY_BOUND_MB) {
      fault(`it took ${report.memoryMB.toFixed(0)} MB, more than ${MEMORY_BOUND_MB} MB`);
    }
  } finally {
    meter.stop();
    await opened.close?.();
    globalThis.removeEventListener("unhandledrejection", onUnhandled);
    globalThis.removeEventListener("error", onUnhandled);
  }
  report.seconds = (performance.now() - started) / 1000;
  return report;
}

async function feedOne(
  opened: Opened<unknown>,
  input: unknown,
  { target, report, fault, meter }: {
    target: Target;
    report: Report;
    fault: (what: string) => void;
    meter: StallMeter;
  },
): Promise<number> {
  const shown = () => (opened.show?.(input) ?? JSON.stringify(input)).slice(0, SHOWN_CHARACTERS);
  const before = performance.now();
  let count = 1;
  let answer = "taken";
  try {
    count = await opened.feed(input) ?? 1;
  } catch (error) {
    if (error instanceof UsageError) answer = "usage";
    else if (error instanceof CpcError && error.code !== "internal") answer = error.code;
    else {
      answer = "fault";
      fault(`${stackOf(error)}\n  by ${shown()}`);
    }
  }
  report.answers.set(answer, (report.answers.get(answer) ?? 0) + 1);
  if (performance.now() - before > Math.max(WORTH_A_LOOK_MS, report.longestMs)) {
    const ms = await quickest(opened, input, target.lasting ? meter : undefined);
    if (ms > target.stallMs) {
      fault(`it stalls this thread for ${ms.toFixed(0)} ms\n  by ${shown()}`);
    }
    report.longestMs = Math.max(report.longestMs, ms);
  }
  return count;
}

/**
 * The time that an input keeps this thread, in ms: the least of three, since garbage collection and
 * neighbours on the machine are no fault of the input. The meter measures work that goes on after
 * `feed`, and leaves out what `feed` only waits for.
 */
async function quickest(
  opened: Opened<unknown>,
  input: unknown,
  meter: StallMeter | undefined,
): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 3; i++) {
    await turn();
    meter?.takeLongest();
    const before = threadMs();
    try {
      await opened.feed(input);
    } catch {
      // the first time told
    }
    const keptMs = threadMs() - before;
    if (meter) await turn();
    least = Math.min(least, meter ? meter.takeLongest() : keptMs);
  }
  return least;
}

/** Lets the meter look. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 2 * METER_TICK_MS));

function stackOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : {};
  const own = error instanceof Error ? error.stack ?? error.message : String(error);
  return cause === undefined ? own : `${own}\n  caused by ${stackOf(cause)}`;
}
