import assert from "node:assert/strict";
import { MemoryBudget } from "../../recordings/memory_budget.ts";

Deno.test("MemoryBudget shares what there is and takes back what was held", () => {
  const budget = new MemoryBudget(100);
  const [a, b] = [budget.share(), budget.share()];
  a.take(60);
  assert.throws(() => b.take(41), { code: "overloaded" });
  b.take(40);
  a.giveBack(10);
  assert.equal(budget.freeBytes, 10);
  a.giveBack();
  a.giveBack();
  b.giveBack();
  assert.equal(budget.freeBytes, 100);
});

Deno.test("MemoryBudget.resize() gives more, or less once the excess has come back", () => {
  const budget = new MemoryBudget(100);
  const [a, b] = [budget.share(), budget.share()];
  a.take(60);
  budget.resize(50);
  assert.throws(() => b.take(1), { code: "overloaded" });
  a.giveBack();
  b.take(50);
  budget.resize(80);
  assert.equal(budget.freeBytes, 30);
});

Deno.test("MemoryBudget leaves a quarter to other owners", () => {
  const budget = new MemoryBudget(100);
  const [first, second, other] = [..."aab"].map((owner) => budget.share(owner));
  first!.take(50);
  second!.take(25);
  assert.throws(() => second!.take(1), { code: "rate_limited", retryAfterMs: 5000 });
  other!.take(25);
  assert.throws(() => budget.share("c").take(1), { code: "overloaded" });
  first!.giveBack(10);
  assert.throws(() => other!.take(11), { code: "overloaded" });
  second!.take(10);
  for (const share of [first!, second!, other!]) share.giveBack();
  budget.share("a").take(75);
  assert.equal(budget.freeBytes, 25);
});

Deno.test("MemoryBudget refuses for good what never fits, alone or beside others", () => {
  const budget = new MemoryBudget(4096);
  const [own, whole] = [budget.share("a"), budget.share()];
  own.take(3000);
  assert.throws(() => own.take(73), { code: "too_large", message: /than the 3 KiB that one/ });
  assert.throws(() => whole.take(4097), { code: "too_large" });
  assert.throws(() => whole.take(4096), { code: "overloaded" });
  own.giveBack();
  whole.take(4096);
  assert.throws(() => whole.take(1), { code: "too_large" });
});
