import assert from "node:assert/strict";
import { loopDotProducts as products } from "../../support/products.ts";
import {
  abxErrors,
  alignment,
  distance,
  drawTriplets,
  unitRows,
} from "../../../evaluation/metrics/abx.ts";
import { random } from "../../support/stream.ts";

const tokens = ["p", "q", "r"].flatMap((speaker) =>
  ["one", "two", "three"].flatMap((word) => [0, 1].map(() => ({ speaker, word })))
);
/** A token of frames that turn from one direction to another, in a tempo of its own. */
function turning(
  from: number,
  { frames, noise = 0, next = () => 0.5 }: { frames: number; noise?: number; next?: () => number },
) {
  const angles = Array.from({ length: frames }, (_, t) => from + t / (frames - 1));
  const data = Float32Array.from(
    angles.flatMap((angle) => [Math.cos(angle) + noise * (next() - 0.5), Math.sin(angle)]),
  );
  return { frames, width: 2, data };
}

Deno.test("drawTriplets() within and across speakers", () => {
  for (const speakers of ["within", "across"] as const) {
    const triplets = drawTriplets(tokens, { speakers, each: 3 });
    assert.equal(triplets.length, tokens.length * 3);
    for (const { a, b, x } of triplets) {
      assert.notEqual(a, x);
      assert.equal(tokens[a].word, tokens[x].word);
      assert.notEqual(tokens[b].word, tokens[x].word);
      assert.equal(tokens[b].speaker, tokens[a].speaker);
      assert.equal(tokens[a].speaker === tokens[x].speaker, speakers === "within");
    }
  }
  // no other word
  assert.deepEqual(drawTriplets(tokens.slice(0, 2), { speakers: "within", each: 3 }), []);
});

Deno.test("abxErrors() is 0 where words turn their own ways, ½ where all are alike", async () => {
  const next = random(4);
  const triplets = drawTriplets(tokens, { speakers: "across", each: 2 });
  const starts: Record<string, number> = { one: 0, two: 1, three: 2 };
  const apart = tokens.map(({ word }, i) =>
    turning(starts[word], { frames: 8 + i, noise: 0.05, next })
  );
  assert.ok((await abxErrors(apart, triplets, products)).every((error) => error === 0));
  const alike = tokens.map(() => turning(0, { frames: 8 }));
  assert.ok((await abxErrors(alike, triplets, products)).every((error) => error === 0.5));
});

Deno.test("abxErrors() of noise is near ½, and 1 where A and B are swapped", async () => {
  const next = random(6);
  const triplets = drawTriplets(tokens, { speakers: "within", each: 20 });
  const noise = tokens.map(() => ({
    frames: 9,
    width: 5,
    data: Float32Array.from({ length: 45 }, () => next() - 0.5),
  }));
  const errors = await abxErrors(noise, triplets, products);
  const mean = errors.reduce((sum, x) => sum + x, 0) / errors.length;
  assert.ok(Math.abs(mean - 0.5) < 0.15, `${mean}`);
  const turned = await abxErrors(
    noise,
    triplets.map(({ a, b, x }) => ({ a: b, b: a, x })),
    products,
  );
  assert.ok(turned.every((error, i) => error === 1 - errors[i]));
});

Deno.test("alignment() is the mean cost along the cheapest path", () => {
  assert.equal(alignment(Float32Array.of(0, 1, 1, 1, 0, 1, 1, 1, 0), 3), 0);
  assert.equal(alignment(Float32Array.of(1, 2, 3), 3), 2); // one row: no way around
  assert.equal(alignment(Float32Array.of(1, 2, 3), 1), 2);
  // 1, 0, 2 by the diagonal; 1, 0, 0, 2 costs as much
  assert.equal(alignment(Float32Array.of(1, 0, 0, 9, 9, 2), 3), 3 / 3);
});

Deno.test("distance() is symmetric, 0 to itself and ½ between right angles", async () => {
  const [left, right] = [turning(0, { frames: 5 }), turning(0.4, { frames: 9 })].map(unitRows);
  assert.ok(
    Math.abs(await distance(left, right, products) - await distance(right, left, products)) < 1e-6,
  );
  assert.ok(await distance(left, left, products) < 1e-3);
  const x = { frames: 1, width: 2, data: Float32Array.of(1, 0) };
  const y = { frames: 1, width: 2, data: Float32Array.of(0, 1) };
  assert.ok(Math.abs(await distance(x, y, products) - 0.5) < 1e-6);
});
