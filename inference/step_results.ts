/**
 * The results of steps on their way between threads: most are numbers in a row, which take a
 * fraction of the time of objects with the same members. What a stream wants is told once, and
 * again when it has changed.
 */
import type { PackedResult, PackedResults, StepResult, Want } from "./messages.ts";

/** Numbers of a result. */
const NUMBERS = 9;

/** What each stream wants, by the place of its lease. */
type Wants = Map<number, { readonly generation: number; readonly want: Want }>;

/** Packs the results of one worker. */
export class ResultPacker {
  readonly #wants: Wants = new Map();

  /** Results for the {@linkcode ResultReader} on the other side. */
  pack(results: readonly StepResult[]): PackedResults {
    const numbers: number[] = [];
    const others: PackedResult[] = [];
    for (const [at, { lease, want, checkpoint, heads, ...result }] of results.entries()) {
      const { index, generation } = lease;
      const { channels, hopsTaken, first, count, frames, offset, length } = result;
      numbers.push(
        index,
        generation,
        channels,
        hopsTaken,
        first,
        count,
        frames,
        offset,
        length,
      );
      const told = this.#wants.get(index);
      const isTold = told?.generation === generation && told.want === want;
      if (!isTold) this.#wants.set(index, { generation, want });
      if (isTold && !checkpoint && !heads) continue;
      others.push({
        at,
        ...(!isTold && { want }),
        ...(checkpoint && { checkpoint }),
        ...(heads && { heads }),
      });
    }
    return { numbers, ...(others.length > 0 && { others }) };
  }
}

/** Reads what the {@linkcode ResultPacker} of one worker has packed, in order. */
export class ResultReader {
  readonly #wants: Wants = new Map();

  /** The results of a step. */
  read({ numbers, others = [] }: PackedResults): StepResult[] {
    const results: StepResult[] = [];
    let next = 0;
    for (let at = 0; at * NUMBERS < numbers.length; at++) {
      const from = at * NUMBERS;
      const number = (i: number) => numbers[from + i]!; // of NUMBERS
      const lease = { index: number(0), generation: number(1) };
      const other = others[next]?.at === at ? others[next++] : undefined;
      if (other?.want) {
        this.#wants.set(lease.index, { generation: lease.generation, want: other.want });
      }
      const known = this.#wants.get(lease.index);
      if (known?.generation !== lease.generation) {
        throw new TypeError(`no step has told what the stream of lease ${lease.index} wants`);
      }
      results.push({
        lease,
        channels: number(2),
        hopsTaken: number(3),
        first: number(4),
        count: number(5),
        frames: number(6),
        offset: number(7),
        length: number(8),
        want: known.want,
        checkpoint: other?.checkpoint,
        heads: other?.heads,
      });
    }
    return results;
  }
}
