/** What decides who waits, piece by piece: the variants that `--only scheduler` compares. */
import { POLICY, type Policy } from "../inference/worker/scheduler.ts";

const NONE: Policy = {
  punctualFirst: false,
  rowsBeside: Infinity,
  numbersBeside: Infinity,
  breaks: "no",
  hold: false,
  joinFreely: true,
};
const LISTEN: Policy = { ...NONE, breaks: "listen" };
const FIRST: Policy = { ...LISTEN, punctualFirst: true };
const ROWS: Policy = { ...FIRST, rowsBeside: POLICY.rowsBeside };

/** By name. */
export const POLICIES = {
  "oldest first": NONE,
  "listening": LISTEN,
  "+ punctual first": FIRST,
  "+ 8 rows": ROWS,
  "+ 16 rows": { ...FIRST, rowsBeside: 16 },
  "+ 8192 numbers": { ...ROWS, numbersBeside: POLICY.numbersBeside },
  "+ apart": { ...ROWS, joinFreely: false },
  "+ apart, hold": { ...ROWS, joinFreely: false, hold: true },
  "before": POLICY,
  "before, no breaks": { ...POLICY, breaks: "no" },
} satisfies Record<string, Policy>;
/** One of {@linkcode POLICIES}. */
export type PolicyName = keyof typeof POLICIES;
