import assert from "node:assert/strict";
import { npyHeader } from "../../formats/npy.ts";

Deno.test("npyHeader() is version 1.0, aligned to 64 bytes, with a Python tuple", () => {
  for (
    const [shape, tuple] of [[[3], "(3,)"], [[2, 256], "(2, 256)"], [
      [360_000, 12, 512],
      "(360000, 12, 512)",
    ], [
      [0, 1],
      "(0, 1)",
    ]] as const
  ) {
    const bytes = npyHeader(shape);
    assert.equal(bytes.length % 64, 0);
    assert.deepEqual([...bytes.subarray(0, 8)], [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
    assert.equal(new DataView(bytes.buffer).getUint16(8, true), bytes.length - 10);
    const text = new TextDecoder().decode(bytes.subarray(10));
    assert.match(text, /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(.*\), \} *\n$/);
    assert.ok(text.includes(`'shape': ${tuple},`), text);
  }
});
