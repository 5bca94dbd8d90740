/** Completes what a worker reports of its streams' heads: of their states, only what changed. */
import type { Checkpoint, ReportedCheckpoint, SavedHead } from "./messages.ts";
import { withChanges } from "./snapshot.ts";

/**
 * A checkpoint that a worker reported, as a value that needs no other.
 *
 * @param former the heads of the checkpoint before, or those with which the worker began
 * @throws {TypeError} if a head goes on from a state that is not among them
 */
export function completeCheckpoint(
  { heads, ...rest }: ReportedCheckpoint,
  former: readonly SavedHead[] = [],
): Checkpoint {
  if (!heads) return rest;
  return {
    ...rest,
    heads: heads.map(({ changed, anew, ...head }) => {
      const before = anew
        ? { state: [] }
        : former.find((one) => one.head === head.head && one.channel === head.channel);
      if (!before) throw new TypeError(`no earlier state of the head ${head.head}`);
      return { ...head, state: withChanges(before.state, changed) };
    }),
  };
}
