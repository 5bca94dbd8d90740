import assert from "node:assert/strict";
import { seeded } from "../../../model/seeded.ts";
import { activeRms, variationOf, varied } from "../../../training/heads/augment.ts";
import { drawNoise, NOISES } from "../../../training/heads/noise.ts";

const voice = () => Float32Array.from({ length: 5000 }, (_, i) => Math.sin(i * i / 900));
const db = (ratio: number) => 20 * Math.log10(ratio);
const rms = (samples: Float32Array) =>
  Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);

/** Power of a tone of this frequency in a signal. */
function power(samples: Float32Array, hertz: number): number {
  let [re, im] = [0, 0];
  samples.forEach((x, i) => {
    re += x * Math.cos(2 * Math.PI * hertz * i / 16_000);
    im += x * Math.sin(2 * Math.PI * hertz * i / 16_000);
  });
  return (re * re + im * im) / samples.length;
}

for (const kind of NOISES) {
  Deno.test(`drawNoise() draws ${kind} of root mean square 1 that the seed repeats`, () => {
    const draw = (seed: number) => drawNoise(kind, 16_000, { random: seeded(seed), voice });
    assert.ok(Math.abs(rms(draw(1)) - 1) < 1e-3);
    assert.deepEqual(draw(1), draw(1));
    assert.notDeepEqual(draw(2), draw(1));
  });
}

Deno.test("drawNoise() makes pink noise fall with the frequency, and hum of harmonics", () => {
  const bands = (samples: Float32Array, low: number, high: number) => {
    let sum = 0;
    for (let hertz = low; hertz < high; hertz += (high - low) / 60) sum += power(samples, hertz);
    return sum;
  };
  const fall = (kind: "pink" | "white") => {
    const samples = drawNoise(kind, 32_000, { random: seeded(3) });
    return db(Math.sqrt(bands(samples, 200, 400) / bands(samples, 3200, 6400)));
  };
  assert.ok(Math.abs(fall("pink") - 12) < 3, `${fall("pink")} dB over four octaves`);
  assert.ok(Math.abs(fall("white")) < 3);
  const hum = drawNoise("hum", 16_000, { random: seeded(3) });
  const [at50, at60, between] = [power(hum, 50), power(hum, 60), power(hum, 77)];
  assert.ok(Math.max(at50, at60) > 100 * between);
  assert.throws(() => drawNoise("babble", 100, { random: seeded(1) }), /babble needs voices/);
});

Deno.test("varied() sets ratio and level by the loud stretches, and leaves silence alone", () => {
  const speech = Float32Array.from(
    { length: 32_000 },
    (_, i) => i % 16_000 < 8000 ? 0.1 * Math.sin(i / 3) : 0,
  );
  assert.ok(Math.abs(activeRms(speech) - 0.1 / Math.SQRT2) < 1e-3);
  const random = () => seeded(7);
  const quiet = { snrDb: 10, levelDb: -30 };
  const clean = varied(speech, quiet, { random: random(), voice });
  assert.ok(Math.abs(db(activeRms(clean)) + 30) < 0.01);
  const noisy = varied(speech, { ...quiet, noise: "white" }, { random: random(), voice });
  const noise = noisy.map((x, i) => x - clean[i]);
  assert.ok(Math.abs(db(activeRms(clean) / rms(noise)) - 10) < 0.01);
  assert.deepEqual(
    varied(new Float32Array(500), { ...quiet, noise: "white" }, { random: random(), voice }),
    new Float32Array(500),
  );
});

Deno.test("variationOf() draws within its bounds, by seed, path and copy alone", () => {
  const augmentation = {
    copies: 1,
    noises: NOISES,
    snrDb: [0, 20] as const,
    levelDb: [-40, -15] as const,
  };
  const drawn = Array.from(
    { length: 200 },
    (_, copy) => variationOf(augmentation, { seed: 1, path: "a", copy }),
  );
  assert.deepEqual(new Set(drawn.map(({ noise }) => noise)), new Set(NOISES));
  for (const [of, [low, high]] of [["snrDb", [0, 20]], ["levelDb", [-40, -15]]] as const) {
    const values = drawn.map((one) => one[of]);
    assert.ok(Math.min(...values) >= low && Math.max(...values) <= high);
    assert.ok(Math.max(...values) - Math.min(...values) > 0.8 * (high - low));
  }
  assert.deepEqual(variationOf(augmentation, { seed: 1, path: "a", copy: 5 }), drawn[5]);
  assert.notDeepEqual(variationOf(augmentation, { seed: 2, path: "a", copy: 5 }), drawn[5]);
});
