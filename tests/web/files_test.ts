import assert from "node:assert/strict";
import { readNpy } from "../support/golden.ts";
import { npy } from "../../web/files.ts";

Deno.test("npy() writes what NumPy reads, its data aligned", () => {
  for (const count of [0, 1, 12, 12345]) {
    const rows = Array.from({ length: count }, (_, i) => Float32Array.of(i, -i, 0.5));
    const bytes = npy(rows, 3);
    const { shape, data } = readNpy(bytes);
    assert.deepEqual(shape, [count, 3]);
    assert.deepEqual([...data], rows.flatMap((row) => [...row]));
    assert.equal((bytes.length - data.byteLength) % 64, 0);
  }
});
