/**
 * Who waits for whom in a model worker: the latency of streams that speak in real time, and what
 * floods and uploads get beside them, policy by policy.
 */
import type { Weights } from "../model/weights.ts";
import { type Crowd, DrivenWorker } from "./driven_worker.ts";
import { median, percentiles } from "./statistics.ts";
import { POLICIES, type PolicyName } from "./scheduler_policies.ts";

/** Who is there at once. */
export const CROWDS: Record<string, Crowd> = {
  "16 speakers": { speakers: 16, floods: 0, uploads: 0, floodWants: "context" },
  "1 speaker, 1 flood": { speakers: 1, floods: 1, uploads: 0, floodWants: "context" },
  "1 speaker, 1 flood, 4 uploads": { speakers: 1, floods: 1, uploads: 4, floodWants: "context" },
  "1 speaker, 1 flood of text": {
    speakers: 1,
    floods: 1,
    uploads: 0,
    floodWants: "predictions as text",
  },
};

/** One policy with one crowd: medians over the rounds. */
export interface SchedulerRow {
  readonly crowd: string;
  readonly policy: PolicyName;
  /** Of the speakers' latency. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Seconds of audio per second. */
  readonly floodRate: number;
  readonly uploadRate: number;
}

/**
 * Measures one worker of each policy, in turns.
 *
 * @param options `seconds`: of each measurement
 */
export async function* benchScheduler(
  weights: Weights,
  { seconds, rounds = 3, crowds = CROWDS }: {
    seconds: number;
    rounds?: number;
    crowds?: Record<string, Crowd>;
  },
): AsyncGenerator<SchedulerRow> {
  const names = Object.keys(POLICIES) as PolicyName[];
  const workers = new Map<PolicyName, DrivenWorker>();
  for (const name of names) workers.set(name, await DrivenWorker.start(weights, name));
  for (const [crowd, who] of Object.entries(crowds)) {
    const seen = new Map<PolicyName, Omit<SchedulerRow, "crowd" | "policy">[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [policy, worker] of workers) {
        const { latenciesMs, ...rates } = await worker.measure(who, seconds);
        const [p50Ms, p99Ms] = percentiles(latenciesMs, [0.5, 0.99]);
        seen.set(policy, [...seen.get(policy) ?? [], { p50Ms, p99Ms, ...rates }]);
      }
    }
    for (const [policy, each] of seen) {
      const [p50Ms, p99Ms, floodRate, uploadRate] = (
        ["p50Ms", "p99Ms", "floodRate", "uploadRate"] as const
      ).map((figure) => median(each.map((figures) => figures[figure])));
      yield { crowd, policy, p50Ms, p99Ms, floodRate, uploadRate };
    }
  }
  for (const worker of workers.values()) await worker.close();
}
