import assert from "node:assert/strict";
import { OnlinePca } from "../../web/pca.ts";
import { maxDifference } from "../support/golden.ts";
import { random } from "../support/stream.ts";

/** Of the plane; orthonormal. */
const AXES = { a: [0.6, 0.8, 0, 0, 0], b: [0, 0, 1, 0, 0] } as const;

Deno.test("OnlinePca finds the plane that vectors lie in", () => {
  const next = random(5);
  const bell = () => next() + next() + next() + next() - 2;
  const pca = new OnlinePca(5);
  const draw = () => {
    const [a, b] = [bell() * 6, bell() * 2];
    const vector = Float32Array.from(AXES.a, (x, i) => {
      return 10 + a * x + b * (AXES.b[i] ?? 0) + bell() * 0.05;
    });
    return { a, b, vector };
  };
  for (let i = 0; i < 3000; i++) pca.add(draw().vector);
  const probes = Array.from({ length: 50 }, draw);
  for (const [k, name] of (["a", "b"] as const).entries()) {
    const pairs = probes.map((probe) => ({
      found: pca.project(probe.vector)[k] ?? NaN,
      true: probe[name],
    }));
    const sign = Math.sign(pairs.reduce((sum, pair) => sum + pair.found * pair.true, 0));
    const found = pairs.map((pair) => sign * pair.found);
    assert.ok(maxDifference(found, pairs.map((pair) => pair.true)) < 1);
  }
});
