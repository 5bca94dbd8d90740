/**
 * Every engine and device that works here, in one table: they take turns, so that other load on the
 * machine affects all of them.
 */
import { aligned } from "./print.ts";
import { median } from "./statistics.ts";
import { type Engine, type EngineKind, type Precision } from "../model/engine.ts";
import type { Weights } from "../model/weights.ts";
import { rateOf, stepInput } from "./step.ts";
import { createEngine } from "../model/engines/create.ts";

const CHOICES: readonly [EngineKind, string, Precision?][] = [
  ["onnx", "cpu"],
  ["onnx", "cpu", "int8"],
  ["onnx", "webgpu"],
  ["onnx", "cuda"],
  ["tfjs", "gpu"],
  ["tfjs", "webgpu"],
  ["tfjs", "cpu"],
  ["tfjs", "wasm"],
];

/** Streams and hops of a step. */
type Shape = readonly [streams: number, hops: number];

/** An engine whose step takes this many times a round's length is measured in only one round. */
const SLOW = 5;

/**
 * An engine's row: for each shape, the audio seconds computed per second, and their ratio to the
 * first engine's in the same round.
 */
export interface EngineRow {
  readonly name: string;
  readonly library: string;
  readonly rates: readonly { readonly rate: number; readonly ratio: number }[];
}

/** The table, and what is not in it. */
export interface EngineTable {
  readonly rows: readonly EngineRow[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

/**
 * Measures steps on one thread. Medians over the rounds; the ratios are paired within a round.
 *
 * @param options `shapes`: streams and hops of a step; `rounds`; `roundMs`: least length of a
 *   round, which is at least one step
 */
export async function benchEngines(
  weights: Weights,
  { shapes, rounds, roundMs }: {
    shapes: readonly Shape[];
    rounds: number;
    roundMs: number;
  },
): Promise<EngineTable> {
  const { engines, leftOut } = await loadAll(weights);
  const seen = engines.map(() => shapes.map((): { rate: number; ratio: number }[] => []));
  for (const [s, [streams, hops]] of shapes.entries()) {
    const inputs = engines.map(({ engine }) => stepInput(engine.layout, { streams, hops }));
    const slow: boolean[] = [];
    for (const [e, { engine }] of engines.entries()) {
      const started = performance.now();
      await rateOf(engine, inputs[e], roundMs); // fills caches, compiles shaders
      slow.push(performance.now() - started > SLOW * roundMs);
    }
    for (let round = 0; round < rounds; round++) {
      let first = 0;
      for (const [e, { engine }] of engines.entries()) {
        if (slow[e] && round > 0) continue;
        const rate = await rateOf(engine, inputs[e], roundMs);
        if (e === 0) first = rate;
        seen[e][s].push({ rate, ratio: rate / first });
      }
    }
  }
  const rows = engines.map(({ name, engine }, e) => ({
    name,
    library: engine.backend.library +
      (engine.backend.warning ? ` (${engine.backend.warning})` : ""),
    rates: seen[e].map((all) => ({
      rate: median(all.map(({ rate }) => rate)),
      ratio: median(all.map(({ ratio }) => ratio)),
    })),
  }));
  for (const { engine } of engines) await engine.dispose();
  return { rows, leftOut };
}

/** The lines of a table: a title, the engines, and those that were left out. */
export function linesOf({ rows, leftOut }: EngineTable, shapes: readonly Shape[]): string[] {
  const title = ["streams × hops", ...shapes.map(([streams, hops]) => `${streams} × ${hops}`)];
  const cells = rows.map(({ name, rates }) => [
    name,
    ...rates.map(({ rate, ratio }) => `${rate.toPrecision(3)} (${ratio.toPrecision(2)})`),
  ]);
  const ends = [
    "",
    ...rows.map(({ library }) => library),
    ...leftOut.map(({ why }) => `left out: ${why}`),
  ];
  return aligned([title, ...cells, ...leftOut.map(({ name }) => [name])])
    .map((line, i) => `${line}  ${ends[i]}`.trimEnd());
}

async function loadAll(weights: Weights) {
  const engines: { name: string; engine: Engine }[] = [];
  const leftOut: { name: string; why: string }[] = [];
  for (const [kind, device, precision = "fp32"] of CHOICES) {
    const name = `${kind} on ${device}${precision === "fp32" ? "" : `, ${precision}`}`;
    try {
      const engine = await createEngine(kind, weights, { device, precision, threads: 1 });
      if (engine.device === "wasm" && device === "cpu") {
        leftOut.push({ name, why: engine.backend.notTaken[0].why });
        await engine.dispose();
      } else engines.push({ name, engine });
    } catch (error) {
      leftOut.push({ name, why: (error as Error).message });
    }
  }
  return { engines, leftOut };
}
