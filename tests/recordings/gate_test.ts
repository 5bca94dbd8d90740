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
          const leave = await gate.enter();
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
  const leave = await gate.enter();
  const controller = new AbortController();
  const impatient = gate.enter(controller.signal);
  await assert.rejects(gate.enter(), { code: "overloaded" });
  controller.abort(new RangeError("enough"));
  await assert.rejects(impatient, RangeError);
  await assert.rejects(gate.enter(controller.signal), RangeError);
  const next = gate.enter();
  leave();
  (await next)();
  (await gate.enter())();
});

Deno.test("TimedGate tells the longest wait of one request, and lets all in without a gate", async () => {
  const gate = new Gate({ places: 1, maxWaiting: 1 });
  const [first, second, open] = [
    new TimedGate(gate),
    new TimedGate(gate),
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
