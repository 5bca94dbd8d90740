import assert from "node:assert/strict";
import { Scratch } from "../../model/scratch.ts";

Deno.test("Scratch: an array has the length asked for, its name's memory, and no other's", () => {
  const scratch = new Scratch();
  const long = scratch.take("a", 8).fill(1);
  const other = scratch.take("b", 4).fill(2);
  const short = scratch.take("a", 3);
  assert.deepEqual([long.length, other.length, short.length], [8, 4, 3]);
  assert.equal(short.buffer, long.buffer, "one memory for a name");
  assert.notEqual(other.buffer, long.buffer);
  assert.deepEqual([...scratch.take("b", 4)], [2, 2, 2, 2], "what was left");
  const longer = scratch.take("a", 9);
  assert.notEqual(longer.buffer, long.buffer);
  assert.ok(longer.every((x) => x === 0));
});
