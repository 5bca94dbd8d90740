/**
 * What share of a step each layer takes, for `--profile`. ONNX Runtime profiles into files, which a
 * server may not write. So the network is cut after each layer instead: what a cut takes longer
 * than the one before is the layer's, its activation and its kept rows included.
 */
import type * as Ort from "onnxruntime-node";
import { fillMask, type ModelLayout } from "../engine.ts";

/** Rows B · T that are measured; a step is like the nearest. */
const ROWS = [1, 2, 4, 8, 16, 32, 64] as const;
/** Runs of each; the fastest counts, as other work on the machine only makes them slower. */
const RUNS = 12;

/** How to build the network. */
export interface SharesOptions {
  readonly ort: typeof Ort;
  readonly layout: ModelLayout;
  /** Rows from which the fast graph is used; Infinity where there is none. */
  readonly fastRows: number;
  /** The step, or its layers up to `until`. */
  readonly load: (cut: { fast: boolean; until?: number }) => Promise<Ort.InferenceSession>;
}

/** Measures the shares: `conv_0` …, then `recurrence`; their sum is 1. */
export async function measureShares(
  { ort, layout, fastRows, load }: SharesOptions,
): Promise<(rows: number) => Readonly<Record<string, number>>> {
  const { convs } = layout.plan;
  const parts = [...convs.map((_, i) => `conv_${i}`), "recurrence"];
  const measured: { rows: number; shares: Record<string, number> }[] = [];
  for (const fast of [false, true]) {
    const sizes = ROWS.filter((rows) => rows >= fastRows === fast);
    if (sizes.length === 0) continue;
    const sessions = [
      ...await Promise.all(convs.map((_, until) => load({ fast, until }))),
      await load({ fast }),
    ];
    for (const rows of sizes) {
      const ms = await fastest(sessions, feedsOf(ort, layout, rows));
      measured.push({ rows, shares: sharesOf(ms, parts) });
    }
    for (const session of sessions) await session.release();
  }
  return (rows) => {
    const distance = (n: number) => Math.abs(Math.log(n / rows));
    return measured.reduce((a, b) => distance(b.rows) < distance(a.rows) ? b : a).shares;
  };
}

/**
 * The shares of parts, from the times of the network up to each of them.
 *
 * @param ms one for each part; the last is the whole network's
 */
export function sharesOf(
  ms: readonly number[],
  parts: readonly string[],
): Record<string, number> {
  let before = 0;
  const own = ms.map((upTo) => {
    const latest = Math.max(before, upTo); // a cut that seems faster than a shorter one is noise
    const part = latest - before;
    before = latest;
    return part;
  });
  return Object.fromEntries(parts.map((part, i) => [part, own[i] / before]));
}

/** The fastest run of each session, in ms; they take turns, so that all see the same machine. */
async function fastest(
  sessions: readonly Ort.InferenceSession[],
  feeds: Readonly<Record<string, Ort.Tensor>>,
): Promise<number[]> {
  const least = sessions.map(() => Infinity);
  for (let run = 0; run < RUNS; run++) {
    for (const [i, session] of sessions.entries()) {
      const own = Object.fromEntries(session.inputNames.map((name) => [name, feeds[name]]));
      const startedMs = performance.now();
      await session.run(own);
      least[i] = Math.min(least[i], performance.now() - startedMs);
    }
  }
  return least;
}

/** A hop of quiet sound of each of so many streams that have begun long ago. */
function feedsOf(
  ort: typeof Ort,
  { plan, stateFloats }: ModelLayout,
  rows: number,
): Record<string, Ort.Tensor> {
  const tensor = (width: number, fill: (row: Float32Array) => void) => {
    const data = new Float32Array(rows * width);
    for (let b = 0; b < rows; b++) fill(data.subarray(b * width, (b + 1) * width));
    return new ort.Tensor("float32", data, [rows, width]);
  };
  const sound = (row: Float32Array) => row.forEach((_, i) => row[i] = (i % 97 - 48) / 480);
  const masks = plan.convs.map((conv, i) => {
    const at = { hopsTaken: plan.youngHops + 1, totalRows: Infinity };
    return [`mask_${i}`, tensor(conv.rowsPerHop, (row) => fillMask(row, conv, at))];
  });
  return {
    samples: tensor(plan.hopSamples, sound),
    state: tensor(stateFloats, (row) => row.fill(0.1)),
    frames: new ort.Tensor("int32", new Int32Array(rows).fill(1), [rows]),
    ...Object.fromEntries(masks),
  };
}
