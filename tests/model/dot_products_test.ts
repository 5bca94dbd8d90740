import assert from "node:assert/strict";
import fc from "fast-check";
import wabt from "wabt";
import { DotTable } from "../../model/dot_products.ts";
import { maxDifference } from "../support/golden.ts";
import { random } from "../support/stream.ts";

const MODEL = new URL("../../model/", import.meta.url);

function fill(table: DotTable, { rows, columns, width }: { rows: number; columns: number; width: number }, seed: number) {
  const next = random(seed);
  const [left, right] = [rows, columns].map((n) => Float32Array.from({ length: n * width }, () => next() * 2 - 1));
  table.left(0, left);
  for (let m = 0; m < columns; m++) table.right(m, right.subarray(m * width, (m + 1) * width));
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [r, m] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let i = 0; i < width; i++) sum += left[r * width + i] * right[m * width + i];
    return sum;
  });
}

Deno.test("DotTable.multiply() gives every row of the left with every row of the right, whatever the sizes", () => {
  const size = fc.integer({ min: 1, max: 19 });
  fc.assert(
    fc.property(fc.record({ rows: size, columns: size, width: fc.integer({ min: 1, max: 70 }) }), fc.nat(1000), (shape, seed) => {
      const table = new DotTable(shape);
      const wanted = fill(table, shape, seed);
      assert.ok(maxDifference(table.multiply(), wanted) <= 1e-5);
    }),
  );
});

Deno.test("DotTable: tables in turns do not disturb each other, nor when one makes the memory grow", () => {
  const [small, large] = [{ rows: 3, columns: 1, width: 6 }, { rows: 12, columns: 16, width: 512 }];
  const a = new DotTable(small);
  fill(a, small, 1);
  a.multiply();
  for (let n = 1; n < 40; n *= 3) {
    const shape = { ...large, rows: large.rows * n };
    const b = new DotTable(shape);
    for (const [table, of] of [[a, small], [b, shape], [a, small]] as const) {
      const wanted = fill(table, of, n);
      assert.ok(maxDifference(table.multiply(), wanted) <= 1e-4);
    }
  }
});

Deno.test("dot_products.wasm is dot_products.wat assembled", async () => {
  const { parseWat } = await wabt();
  const text = parseWat("dot_products.wat", Deno.readTextFileSync(new URL("dot_products.wat", MODEL)));
  const { buffer } = text.toBinary({});
  text.destroy();
  assert.deepEqual(Deno.readFileSync(new URL("dot_products.wasm", MODEL)), new Uint8Array(buffer));
});
