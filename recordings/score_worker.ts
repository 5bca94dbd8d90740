/** A worker that computes the figures of one batch. */
/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
import type { ObjectiveFigures } from "../model/objective.ts";
import { scoreWindows } from "./score_rows.ts";
import type { WindowRows } from "./score_window.ts";

/** One network's windows, and where they are scored. */
export interface ScoreRequest {
  readonly rows: readonly WindowRows[];
  readonly from: number;
  readonly to: number;
  readonly K: number;
  readonly Z: number;
}

self.onmessage = async ({ data: { rows, ...where } }: MessageEvent<ScoreRequest>) => {
  const figures: ObjectiveFigures = await scoreWindows(rows, where);
  self.postMessage(figures);
};
