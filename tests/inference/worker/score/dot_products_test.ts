import assert from "node:assert/strict";
import fc from "fast-check";
import wabt from "wabt";
import { DotRows, DotTable } from "../../../../inference/worker/score/dot_products.ts";
import { memory } from "../../../../inference/worker/score/dot_products.wasm";
import { maxDifference } from "../../../support/golden.ts";
import { random } from "../../../support/stream.ts";

const FOLDER = new URL("../../../../inference/worker/score/", import.meta.url);

interface Shape {
  readonly lefts: number;
  readonly rights: number;
  readonly width: number;
}

/** A table of random rows, each chosen from a place of its own, and what its products should be. */
function filled(
  { lefts, rights, width }: Shape,
  { seed, scale = 1 }: { seed: number; scale?: number },
) {
  const next = random(seed);
  const count = lefts + rights;
  const data = Float32Array.from({ length: count * width }, () => (next() * 2 - 1) * scale);
  const rows = new DotRows({ count, width });
  rows.set(0, data);
  const table = new DotTable({ lefts, rights, width });
  // some rows more than once
  const order = Array.from({ length: count }, (_, i) => i * 7919 % count);
  const sides = [
    { of: rows, numbers: order.slice(0, lefts) },
    { of: rows, numbers: order.slice(lefts) },
  ] as const;
  const wanted = Float64Array.from({ length: lefts * rights }, (_, at) => {
    const [a, b] = [order[Math.floor(at / rights)], order[lefts + at % rights]];
    let sum = 0;
    for (let n = 0; n < width; n++) sum += data[a * width + n] * data[b * width + n];
    return sum;
  });
  return {
    rows,
    multiply: () => table.multiply(...sides),
    largestAndSums: () => table.largestAndSums(...sides),
    data,
    wanted,
    free: () => rows.free(),
  };
}

const size = fc.integer({ min: 1, max: 19 });

Deno.test("DotTable.multiply() gives every left row times every right row, of any sizes", () => {
  const shapes = fc.record({ lefts: size, rights: size, width: fc.integer({ min: 1, max: 70 }) });
  fc.assert(
    fc.property(shapes, fc.nat(1000), (shape, seed) => {
      const { multiply, wanted, free } = filled(shape, { seed });
      assert.ok(maxDifference(multiply(), wanted) <= 1e-5);
      free();
    }),
  );
});

Deno.test("DotTable.largestAndSums() gives each row's largest product, and sums of exps", () => {
  const shapes = fc.record({
    lefts: size,
    rights: fc.constantFrom(4, 8, 16),
    width: fc.integer({ min: 1, max: 70 }),
  });
  fc.assert(
    fc.property(
      shapes,
      fc.nat(1000),
      fc.constantFrom(0.1, 1, 10),
      ({ rights, ...shape }, seed, scale) => {
        const { multiply, largestAndSums, free } = filled({ rights, ...shape }, { seed, scale });
        const products = [...multiply()];
        const sums = largestAndSums();
        for (let i = 0; i < shape.lefts; i++) {
          const row = products.slice(i * rights, (i + 1) * rights);
          const largest = Math.max(...row);
          assert.equal(sums[2 * i], largest);
          const sum = row.reduce((sum, x) => sum + Math.exp(x - largest), 0);
          assert.ok(
            Math.abs(sums[2 * i + 1] / sum - 1) <= 1e-6,
            `${sums[2 * i + 1]} is not ${sum}`,
          );
        }
        free();
      },
    ),
  );
  const { largestAndSums } = filled({ lefts: 1, rights: 6, width: 8 }, { seed: 1 });
  assert.throws(() => largestAndSums(), {
    name: "RangeError",
    message: /multiple of 4 .* got 6/,
  });
});

Deno.test("DotTable.multiply() refuses fewer or more rows than it has", () => {
  const rows = new DotRows({ count: 3, width: 8 });
  const table = new DotTable({ lefts: 2, rights: 1, width: 8 });
  const chosen = (...numbers: number[]) => ({ of: rows, numbers });
  assert.throws(() => table.multiply(chosen(0), chosen(1)), /takes 2 rows, got 1/);
  assert.throws(() => table.multiply(chosen(0, 1), chosen(1, 2)), /takes 1 rows, got 2/);
  rows.free();
});

Deno.test("DotTable: tables and rows stay apart, also when the memory grows", () => {
  const small = filled({ lefts: 3, rights: 1, width: 6 }, { seed: 1 });
  const before = memory.buffer.byteLength;
  for (let n = 1; n < 40; n *= 3) {
    const large = filled({ lefts: 12 * n, rights: 16, width: 512 }, { seed: n });
    for (const { multiply, wanted } of [small, large, small]) {
      assert.ok(maxDifference(multiply(), wanted) <= 1e-4);
    }
  }
  assert.ok(memory.buffer.byteLength > before);
  assert.deepEqual(small.rows.get(1, 3), small.data.subarray(6, 24));
});

Deno.test("DotRows: what is given back is taken again, and is zero then", () => {
  const [count, width] = [500, 33];
  const round = () => {
    const rows = new DotRows({ count, width });
    assert.ok(rows.get(0, count).every((x) => x === 0));
    rows.set(0, new Float32Array(count * width).fill(1));
    rows.free();
  };
  round();
  const size = memory.buffer.byteLength;
  for (let n = 0; n < 100; n++) round();
  assert.equal(memory.buffer.byteLength, size);
});

Deno.test("dot_products.wasm is dot_products.wat assembled", async () => {
  const { parseWat } = await wabt();
  const text = parseWat(
    "dot_products.wat",
    Deno.readTextFileSync(new URL("dot_products.wat", FOLDER)),
  );
  const { buffer } = text.toBinary({});
  text.destroy();
  assert.deepEqual(Deno.readFileSync(new URL("dot_products.wasm", FOLDER)), new Uint8Array(buffer));
});
