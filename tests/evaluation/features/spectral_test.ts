import assert from "node:assert/strict";
import { beside, meanRow, partMeans } from "../../../evaluation/features/rows.ts";
import { deltas, logMel, mfcc } from "../../../evaluation/features/spectral.ts";
import { fixtureSamples, maxDifference, readGolden } from "../../support/golden.ts";

const golden = readGolden("spectral.npz");
const expected = (name: string) => golden.get(name) as { shape: number[]; data: Float32Array };
const samples = fixtureSamples("italian_short.wav", { start: 4000, samples: 8000 });

for (const bands of [40, 80]) {
  Deno.test(`logMel() of ${bands} bands equals librosa's within 1e-4`, () => {
    const { shape, data } = expected(`mel${bands}`);
    const rows = logMel(samples, { bands });
    assert.deepEqual([rows.frames, rows.width], shape);
    assert.ok(maxDifference(rows.data, data) <= 1e-4);
  });
}

Deno.test("mfcc() and deltas() equal librosa's within 1e-4", () => {
  const cepstrum = mfcc(logMel(samples));
  const slope = deltas(cepstrum);
  for (
    const [name, rows] of Object.entries({ mfcc: cepstrum, delta: slope, delta2: deltas(slope) })
  ) {
    const { shape, data } = expected(name);
    assert.deepEqual([rows.frames, rows.width], shape, name);
    assert.ok(maxDifference(rows.data, data) <= 1e-4, name);
  }
});

Deno.test("logMel() of silence and of less than a hop is finite", () => {
  for (const length of [0, 1, 159, 160]) {
    const { frames, data } = logMel(new Float32Array(length));
    assert.equal(frames, length < 160 ? 1 : 2);
    assert.ok(data.every((x) => Math.abs(x - Math.log(1e-10)) < 1e-5));
  }
});

Deno.test("partMeans() covers every frame once, and repeats those of short recordings", () => {
  const rows = { frames: 7, width: 1, data: Float32Array.of(0, 1, 2, 3, 4, 5, 6) };
  assert.deepEqual([...partMeans(rows, 3)], [0.5, 2.5, 5]);
  assert.deepEqual([...partMeans({ frames: 2, width: 1, data: Float32Array.of(4, 8) }, 4)], [
    4,
    4,
    8,
    8,
  ]);
  assert.deepEqual([...meanRow(rows, 0, 7)], [3]);
  assert.deepEqual([...beside(rows, rows).data.subarray(0, 4)], [0, 0, 1, 1]);
});
