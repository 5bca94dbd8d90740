import assert from "node:assert/strict";
import fc from "fast-check";
import { Gate, TimedGate } from "../../recordings/gate.ts";

Deno.test("Gate.enter() lets as many in as there are places, in order of arrival", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.nat(3), { maxLength: 30 }),
      async (places, turns) => {
        const gate = new Gate({ places, maxWaiting: 100 });
        let inside = 0;
        const order: number[] = [];
        await Promise.all(turns.map(async (length, i) => {
          const leave = await gate.door("one").enter();
          order.push(i);
          assert.ok(++inside <= places);
          for (let turn = 0; turn < length; turn++) await Promise.resolve();
          inside--;
          leave();
          leave(); // does nothing
        }));
        assert.deepEqual(order, turns.map((_, i) => i));
      },
    ),
  );
});

Deno.test("Gate.enter() refuses when too many wait, and forgets those who give up", async () => {
  const gate = new Gate({ places: 1, maxWaiting: 1 });
  const leave = await gate.door("one").enter();
  const controller = new AbortController();
  const impatient = gate.door("one").enter(controller.signal);
  await assert.rejects(gate.door("one").enter(), { code: "overloaded" });
  controller.abort(new RangeError("enough"));
  await assert.rejects(impatient, RangeError);
  await assert.rejects(gate.door("one").enter(controller.signal), RangeError);
  const next = gate.door("one").enter();
  leave();
  (await next)();
  (await gate.door("one").enter())();
});

Deno.test("TimedGate tells the longest wait of a request, and may have no gate", async () => {
  const gate = new Gate({ places: 1, maxWaiting: 1 });
  const [first, second, open] = [
    new TimedGate(gate.door("one")),
    new TimedGate(gate.door("one")),
    new TimedGate(undefined),
  ];
  const leave = await first.enter();
  const waiting = second.enter();
  const before = performance.now();
  while (performance.now() === before); // the clock has moved before a place is free
  leave();
  (await waiting)();
  const { longestWaitMs } = second;
  assert.ok(longestWaitMs > 0);
  (await second.enter())();
  assert.ok(second.longestWaitMs >= longestWaitMs);
  (await open.enter())();
  (await open.enter())();
});

Deno.test("Gate: a free place goes to the owner with the fewest inside, in turns", async () => {
  const gate = new Gate({ places: 3, mostPerOwner: 2, maxWaiting: 100 });
  const order: string[] = [];
  const leaves: (() => void)[] = [];
  const enter = async (name: string) => {
    const leave = await gate.door(name).enter();
    order.push(name);
    leaves.push(leave);
  };
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  const all = [..."aaaaa"].map(enter);
  await settle();
  assert.deepEqual(order, ["a", "a"]); // the third place is for others
  all.push(enter("b"));
  await settle();
  assert.deepEqual(order, ["a", "a", "b"]);
  all.push(enter("c"), enter("d"), enter("b"));
  for (const next of ["c", "a", "b", "d", "a", "a"]) {
    leaves.shift()?.();
    await settle();
    assert.equal(order.at(-1), next);
  }
  for (const leave of leaves) leave();
  await Promise.all(all);
});

Deno.test("Gate: one owner's full queue refuses no other", async () => {
  const gate = new Gate({ places: 1, maxWaiting: 1 });
  const leave = await gate.door("a").enter();
  const waiting = gate.door("a").enter();
  await assert.rejects(gate.door("a").enter(), { code: "overloaded" });
  const other = gate.door("b").enter();
  leave();
  (await waiting)();
  (await other)();
});
