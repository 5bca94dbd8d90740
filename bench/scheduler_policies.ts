/** What decides who waits, piece by piece: the variants that `--only scheduler` compares. */
import { POLICY, type Policy } from "../inference/worker/scheduler.ts";

const LONGEST_WAITING: Policy = {
  punctualFirst: false,
  rowsBesidePunctual: Infinity,
  numbersBesidePunctual: Infinity,
  listeningTurns: 1,
};
const LISTENING: Policy = { ...LONGEST_WAITING, listeningTurns: POLICY.listeningTurns };
const PUNCTUAL_FIRST: Policy = { ...LISTENING, punctualFirst: true };

/** By name: each adds to the one before. */
export const POLICIES = {
  "longest waiting first": LONGEST_WAITING,
  "+ listening": LISTENING,
  "+ punctual first": PUNCTUAL_FIRST,
  "+ 8 rows beside": { ...PUNCTUAL_FIRST, rowsBesidePunctual: POLICY.rowsBesidePunctual },
  "+ 8192 numbers beside": POLICY,
} satisfies Record<string, Policy>;
/** One of {@linkcode POLICIES}. */
export type PolicyName = keyof typeof POLICIES;
