/**
 * ABX discrimination: X says the same word as A, and not that of B. Which of them is it nearer to?
 * (Schatz et al. 2013)
 *
 * Two tokens are compared frame by frame along the best alignment (dynamic time warping), by the
 * angle between their features.
 */
import type { DotProducts } from "../products.ts";
import { below, seeded } from "../../model/seeded.ts";
import { rowOf, type Rows } from "../features/rows.ts";
import { unit } from "./verification.ts";

/** A spoken word. */
export interface Token {
  readonly speaker: string;
  readonly word: string;
}

/** Indices of tokens: A and X say the same word, B another. */
export interface Triplet {
  readonly a: number;
  readonly b: number;
  readonly x: number;
}

/**
 * Draws equally many triplets for each X that allows any. A and B are by one speaker: X's own
 * (`within`) or another (`across`).
 *
 * @param options `each`: triplets per X
 */
export function drawTriplets(
  tokens: readonly Token[],
  { speakers, each, seed = 1 }: { speakers: "within" | "across"; each: number; seed?: number },
): Triplet[] {
  const random = seeded(seed);
  const pick = <T>(items: readonly T[]): T => items[below(items.length, random)];
  const bySpeaker = Map.groupBy(tokens.keys(), (i) => tokens[i].speaker);
  const triplets: Triplet[] = [];
  tokens.forEach(({ speaker, word }, x) => {
    const as = tokens.keys().filter((i) =>
      i !== x && tokens[i].word === word &&
      (tokens[i].speaker === speaker) === (speakers === "within")
    ).toArray();
    for (let n = 0; n < each && as.length > 0; n++) {
      const a = pick(as);
      const bs = (bySpeaker.get(tokens[a].speaker) ?? []).filter((i) => tokens[i].word !== word);
      if (bs.length > 0) triplets.push({ a, b: pick(bs), x });
    }
  });
  return triplets;
}

/**
 * The error of each triplet: 1 if X is nearer to B, ½ if both are equally near, 0 if it is nearer
 * to A.
 *
 * @param tokens features of each token, of one width
 */
export async function abxErrors(
  tokens: readonly Rows[],
  triplets: readonly Triplet[],
  products: DotProducts,
): Promise<Float32Array> {
  const units = tokens.map(unitRows);
  const errors = new Float32Array(triplets.length);
  for (const [i, { a, b, x }] of triplets.entries()) {
    const [near, far] = [
      await distance(units[a], units[x], products),
      await distance(units[b], units[x], products),
    ];
    errors[i] = near < far ? 0 : near > far ? 1 : 0.5;
  }
  return errors;
}

/**
 * Mean angle between the aligned frames of two tokens whose rows have length 1, in half turns: 0 …
 * 1.
 */
export async function distance(left: Rows, right: Rows, products: DotProducts): Promise<number> {
  // [T, U]
  const cosines = await products({ width: left.width, left: left.data, right: right.data });
  return alignment(
    cosines.map((cosine) => Math.acos(Math.max(-1, Math.min(1, cosine))) / Math.PI),
    right.frames,
  );
}

/**
 * Mean cost along the cheapest path through a table of costs, from its first to its last cell, in
 * steps down, right or diagonally.
 *
 * @param costs `[T, U]`
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { alignment } from "./abx.ts";
 *
 * assert.equal(alignment(Float32Array.of(0, 1, 1, 0), 2), 0);
 * ```
 */
export function alignment(costs: Float32Array, columns: number): number {
  const rows = costs.length / columns;
  let [sums, lengths] = [new Float64Array(columns), new Int32Array(columns)]; // of the row above
  for (let t = 0; t < rows; t++) {
    const [sumsHere, lengthsHere] = [new Float64Array(columns), new Int32Array(columns)];
    for (let u = 0; u < columns; u++) {
      let [sum, length] = t + u === 0 ? [0, 0] : [Infinity, 0];
      if (t > 0 && u > 0) [sum, length] = [sums[u - 1], lengths[u - 1]];
      if (t > 0 && sums[u] < sum) [sum, length] = [sums[u], lengths[u]];
      if (u > 0 && sumsHere[u - 1] < sum) [sum, length] = [sumsHere[u - 1], lengthsHere[u - 1]];
      sumsHere[u] = sum + costs[t * columns + u];
      lengthsHere[u] = length + 1;
    }
    [sums, lengths] = [sumsHere, lengthsHere];
  }
  return sums[columns - 1] / lengths[columns - 1];
}

/** Scales every row to length 1. */
export function unitRows(rows: Rows): Rows {
  const data = new Float32Array(rows.data.length);
  for (let t = 0; t < rows.frames; t++) data.set(unit(rowOf(rows, t)), t * rows.width);
  return { ...rows, data };
}
