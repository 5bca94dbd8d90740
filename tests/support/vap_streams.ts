/**
 * Streams of the committed checkpoints of voice activity projection, and the rows they must give.
 */
import assert from "node:assert/strict";
import { headSpecSchema } from "../../model/heads/spec.ts";
import { vapGraph } from "../../model/vap/graph.ts";
import { headJson } from "../../model/vap/head.ts";
import type { Weights } from "../../model/weights.ts";
import { maxDifference } from "./golden.ts";
import type { StreamClient } from "./stream_client.ts";
import { OUTPUTS, TOLERANCE, type VapFixture } from "./vap.ts";

/** The fixture's CPC network with its projection, as `convert` writes them. */
export function modelOf({ network, windowRows, weights }: VapFixture): Weights {
  const features = "0".repeat(64);
  const spec = headSpecSchema.parse(headJson(network.sizes, { windowRows, features }));
  const graph = vapGraph(network, { windowRows });
  return { ...weights, heads: [{ name: "vap", spec, graph, folder: "vap" }] };
}

/** What the stream is sent: f32le, its channels interleaved. */
export function audioOf({ samples }: VapFixture): Uint8Array<ArrayBuffer> {
  const all = new Float32Array(samples.length * samples[0].length);
  samples.forEach((one, c) => one.forEach((x, i) => all[i * samples.length + c] = x));
  return new Uint8Array(all.buffer);
}

/** The query of a stream that asks for its rows alone. */
export const optionsOf = ({ samples: { length } }: VapFixture) =>
  `output=head.vap&encoding=f32le${length === 2 ? "&channels=2&split=1" : ""}`;

/** Asserts that exactly the original's rows came, from one on; returns how many. */
export function assertRows(
  client: StreamClient,
  { expected, samples }: VapFixture,
  { first = 0, rows }: { first?: number; rows: number },
): void {
  const heard = client.all("head").flatMap(({ name, first, rows }) => {
    assert.equal(name, "vap");
    return (rows as Record<string, number[]>[]).map((row, i) => ({
      index: (first as number) + i,
      row,
    }));
  });
  assert.deepEqual(heard.map(({ index }) => index), range(first, rows));
  const channels = samples.length;
  for (const { index, row } of heard) {
    for (const output of OUTPUTS) {
      const { data } = expected.get(output)!;
      const theirs = Array.from(data, Number).slice(index * channels, (index + 1) * channels);
      if (theirs.length === 0) continue; // after the recording's end, the silence of `finish`
      const difference = maxDifference(row[output], theirs);
      assert.ok(difference <= TOLERANCE, `row ${index}, ${output}: ${difference}`);
    }
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
/** Rows that are exact while more audio may follow. */
export const rowsAt = ({ every }: VapFixture, samples: number) =>
  Math.floor((Math.floor((samples - 312) / 160) + 1) / every);
