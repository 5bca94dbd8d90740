/** The sessions of `tests/fixtures/sessions`, which a version stores for those after it. */

import { ringHead } from "./heads.ts";
import { tiny, WIDTHS } from "./stream_server.ts";

/** The models of the servers. */
export const STORED_MODELS = [{ ...tiny, heads: [ringHead({ dims: WIDTHS.C })] }];

/** What is stored: query and audio of each; the last is as a later version would pack it. */
export const STORED_SESSIONS = [
  // longer than 4 s: a state of the model, scores and all, and plain records
  { name: "scored", query: "output=context,score", bytes: 4.2 * 32_000 },
  // two states, of which the second shares pieces of a head's ring with the first, and some after
  // it
  { name: "ring", query: "output=context,head.ring", bytes: 8.7 * 32_000 },
  // a resampler's past
  { name: "resampled", query: "sample_rate=8000", bytes: 8_000 },
  { name: "newer", query: "", bytes: 640 },
] as const;

/** What a later server is given besides the store's file. */
export interface StoredFixture {
  /** Time of day when it was stored. */
  readonly storedAtMs: number;
  readonly sessions: readonly {
    readonly name: string;
    readonly token: string;
    /** Frames that its client has. */
    readonly received: number;
  }[];
}
