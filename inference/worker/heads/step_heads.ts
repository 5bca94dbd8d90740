/** Computes the rows of a step's heads: each head once for the rows of all streams. */
import { CpcError } from "../../../errors.ts";
import { LARGE_STATE_FLOATS, type OnnxHead } from "../../../model/engines/onnx_head.ts";
import type { HeadTiming } from "../../messages.ts";
import type { StreamHead } from "./stream_head.ts";

/** Most rows of one run. */
const MOST_ROWS = 256;

/**
 * A head failed on one stream. Another worker would fail as well, so the stream ends, and nobody
 * else's.
 */
export class HeadFailure extends CpcError {
  constructor(head: OnnxHead, why: string, cause?: unknown) {
    super("model_failed", `the head ${head.name} failed on this stream: ${why}`, { cause });
  }
}

/**
 * Computes every row that is ready.
 *
 * @returns the heads that failed, each of one stream, and how long each head took
 */
export async function stepHeads(
  heads: readonly StreamHead[],
): Promise<{ failures: Map<StreamHead, HeadFailure>; timings: HeadTiming[] }> {
  const failures = new Map<StreamHead, HeadFailure>();
  const timings: HeadTiming[] = [];
  const ready = heads.filter(({ ready }) => ready.length > 0);
  if (ready.length === 0) return { failures, timings };
  for (const [head, members] of Map.groupBy(ready, ({ head }) => head)) {
    const startedMs = performance.now();
    let rows = 0;
    for (const member of head.linear ? members : []) {
      while (member.ready.length > 0 && !failures.has(member)) {
        const failure = take(member, head.linear!.step(member.ready[0]));
        if (failure) failures.set(member, failure);
        rows++;
      }
    }
    while (!head.linear) {
      const batch = nextRows(head, members.filter((member) => !failures.has(member)));
      if (batch.length === 0) break;
      rows += batch.length;
      for (const [member, failure] of await run(head, batch)) failures.set(member, failure);
    }
    timings.push({ head: head.name, rows, ms: performance.now() - startedMs });
  }
  return { failures, timings };
}

/**
 * The rows that can be computed together: the oldest of each stream. Rows of a head without a state
 * need not wait for each other; those of a large one go by themselves, since gathering would cost
 * more than a batch saves.
 */
function nextRows(head: OnnxHead, members: readonly StreamHead[]): StreamHead[] {
  const waiting = members.filter(({ ready }) => ready.length > 0);
  if (head.stateFloats > LARGE_STATE_FLOATS) return waiting.slice(0, 1);
  const rows = head.stateFloats > 0
    ? waiting
    : waiting.flatMap((member) => member.ready.map(() => member));
  return rows.slice(0, MOST_ROWS);
}

/**
 * Runs a batch; one by one if that fails.
 *
 * @param batch a stream without a state may be in it several times, with one row after the other
 */
async function run(
  head: OnnxHead,
  batch: readonly StreamHead[],
): Promise<Map<StreamHead, HeadFailure>> {
  const taken = new Map<StreamHead, number>();
  const features = new Float32Array(batch.length * head.featureFloats);
  for (const [b, member] of batch.entries()) {
    const nth = taken.get(member) ?? 0;
    taken.set(member, nth + 1);
    features.set(member.ready[nth], b * head.featureFloats);
  }
  const failures = new Map<StreamHead, HeadFailure>();
  let outputs: Float32Array<ArrayBuffer>;
  try {
    outputs = await head.step(features, batch.map(({ state }) => state));
  } catch (error) {
    if (batch.length === 1) {
      const why = error instanceof Error ? error.message : String(error);
      return new Map([[batch[0], new HeadFailure(head, why, error)]]);
    }
    for (const member of batch) {
      if (failures.has(member)) continue;
      for (const [one, failure] of await run(head, [member])) failures.set(one, failure);
    }
    return failures;
  }
  for (const [b, member] of batch.entries()) {
    if (failures.has(member)) continue;
    const failure = take(member, outputs.subarray(b * head.width, (b + 1) * head.width));
    if (failure) failures.set(member, failure);
  }
  return failures;
}

/** Gives a stream its row, unless that is not finite. */
function take(member: StreamHead, row: Float32Array): HeadFailure | undefined {
  for (let i = 0; i < row.length; i++) {
    if (Number.isFinite(row[i])) continue;
    return new HeadFailure(member.head, "its output is not a finite number");
  }
  member.computed(row);
}
