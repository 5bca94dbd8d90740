import assert from "node:assert/strict";
import fc from "fast-check";
import { SlotTable } from "../../inference/slots.ts";

Deno.test("SlotTable: no two leases in force share a slot, and each is given back once", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.nat(9), { maxLength: 100 }),
      (size, actions) => {
        const table = new SlotTable(size);
        const held: NonNullable<ReturnType<SlotTable["lease"]>>[] = [];
        const slots = new Map<unknown, number>();
        const leased = () => held.reduce((sum, lease) => sum + slots.get(lease)!, 0);
        const given: typeof held = [];
        for (const action of actions) {
          if (action < 5) {
            const width = action < 3 ? 1 : action;
            const before = leased();
            const lease = table.lease(width);
            assert.equal(lease === undefined, before >= size);
            if (!lease) continue;
            slots.set(lease, width);
            held.push(lease);
          } else if (action < 8 && held.length > 0) {
            for (const lease of held.splice(action % held.length, 1)) {
              assert.equal(table.release(lease), true);
              given.push(lease);
            }
          } else if (given.length > 0) {
            assert.equal(table.release(given[action % given.length]!), false);
          }
          assert.equal(table.leased, leased());
          assert.equal(new Set(held.map(({ index }) => index)).size, held.length);
          assert.ok(
            held.every((lease) => table.isCurrent(lease)) &&
              !given.some((lease) => table.isCurrent(lease)),
          );
        }
        table.clear();
        assert.equal(table.leased, 0);
        assert.ok(!held.some((lease) => table.isCurrent(lease)));
      },
    ),
  );
});
