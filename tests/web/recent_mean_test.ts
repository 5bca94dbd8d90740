import assert from "node:assert/strict";
import { RecentMean } from "../../web/recent_mean.ts";

Deno.test("RecentMean is the mean of few values, and forgets the first of many", () => {
  const mean = new RecentMean();
  assert.equal(mean.value, undefined);
  assert.deepEqual([4, 8, 0].map((x) => mean.add(x)), [4, 6, 4]);
  for (let n = 0; n < 1000; n++) mean.add(1);
  assert.ok(Math.abs((mean.value ?? 0) - 1) < 0.001);
});
