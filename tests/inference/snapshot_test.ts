import assert from "node:assert/strict";
import fc from "fast-check";
import {
  assembled,
  bytesOf,
  isPiece,
  type Piece,
  type Snapshot,
  withChanges,
} from "../../inference/snapshot.ts";

const FLOATS = 40;

/** A piece with numbers at some places: neighbours are one run. */
function pieceAt(places: readonly number[], value: (place: number) => number): Piece {
  const sorted = [...new Set(places)].sort((a, b) => a - b);
  const runs: number[] = [];
  for (const place of sorted) {
    if (runs.at(-1) === place) runs[runs.length - 1]++;
    else runs.push(place, place + 1);
  }
  return { runs: Uint32Array.from(runs), values: Float32Array.from(sorted, value) };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const numbersIn = (snapshot: Snapshot) =>
  snapshot.reduce((sum, { values }) => sum + values.length, 0);

Deno.test("withChanges() gives the state after any changes, and hides little", () => {
  const changes = fc.array(
    fc.array(fc.integer({ min: 0, max: FLOATS - 1 }), { maxLength: FLOATS }),
    { maxLength: 30 },
  );
  fc.assert(fc.property(changes, (all) => {
    const truth = new Float32Array(FLOATS);
    const touched = new Set<number>();
    let snapshot: Snapshot = [];
    for (const [i, places] of all.entries()) {
      for (const place of places) {
        truth[place] = 100 * i + place;
        touched.add(place);
      }
      const before = snapshot;
      const former = assembled(before, FLOATS);
      snapshot = withChanges(before, pieceAt(places, (place) => 100 * i + place));
      assert.deepEqual(assembled(before, FLOATS), former, "the earlier state is as it was");
      assert.deepEqual(assembled(snapshot, FLOATS), truth);
      assert.ok(numbersIn(snapshot) <= 1.5 * touched.size);
      assert.ok(snapshot.every(isPiece));
    }
  }));
});

Deno.test("withChanges() shares the pieces of a ring, and lets go of the rows that left it", () => {
  const [rows, width, each] = [10, 4, 2]; // two rows at a time
  const history: Snapshot[] = [[]];
  for (let row = 0; row < 60; row += each) {
    const first = row % rows * width;
    const piece = pieceAt(range(first, first + each * width), (place) => row * 1000 + place);
    history.push(withChanges(history.at(-1)!, piece));
  }
  for (const [i, snapshot] of history.entries()) {
    assert.equal(snapshot.length, Math.min(i, rows / each));
    assert.deepEqual(snapshot.slice(0, -1), history[i - 1]?.slice(1 - rows / each) ?? []);
  }
  const rowBytes = 4 * each * width + 8;
  assert.equal(bytesOf(history.flat()), 30 * rowBytes, "each row is there once");
});

Deno.test("assembled() refuses what lies beyond the state", () => {
  const whole = [{ runs: Uint32Array.of(0, 3), values: Float32Array.of(1, 2, 3) }];
  assert.deepEqual([...assembled(whole, 4)], [1, 2, 3, 0]);
  assert.throws(() => assembled(whole, 2), RangeError);
});

Deno.test("isPiece() wants ascending runs of as many numbers as there are", () => {
  const of = (runs: number[], numbers: number) =>
    isPiece({ runs: Uint32Array.from(runs), values: new Float32Array(numbers) });
  assert.ok(of([0, 2, 2, 3], 3) && of([], 0));
  const wrong: [number[], number][] = [
    [[0, 2], 1],
    [[0, 2, 1, 3], 4],
    [[2, 0], 0],
    [[0, 2, 5], 2],
    [[3, 3], 0],
  ];
  for (const [runs, numbers] of wrong) assert.ok(!of(runs, numbers), runs.join());
});
