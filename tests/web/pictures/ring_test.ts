import assert from "node:assert/strict";
import { COLUMNS, Ring } from "../../../web/pictures/ring.ts";

Deno.test("Ring keeps the newest values, oldest first, and says which are gone", () => {
  const ring = new Ring<number>();
  assert.deepEqual([[...ring], ring.last, ring.at(0)], [[], undefined, undefined]);
  const pushed: number[] = [];
  for (let n = 0; n <= 2 * COLUMNS + 3; n++) {
    ring.push(n);
    pushed.push(n);
    if (n % 397 !== 0 && n < 2 * COLUMNS) continue;
    assert.deepEqual([...ring], pushed.slice(-COLUMNS));
    assert.deepEqual([ring.total, ring.last, ring.at(n), ring.at(n + 1)], [n + 1, n, n, undefined]);
    assert.equal(ring.at(n - COLUMNS), undefined);
    assert.equal(ring.at(Math.max(0, n - COLUMNS + 1)), Math.max(0, n - COLUMNS + 1));
  }
  ring.clear();
  assert.deepEqual([[...ring], ring.last, ring.total], [[], undefined, 0]);
});
