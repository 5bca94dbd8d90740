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
        const given: typeof held = [];
        for (const action of actions) {
          if (action < 5) {
            const lease = table.lease();
            assert.equal(lease === undefined, held.length === size);
            if (lease) held.push(lease);
          } else if (action < 8 && held.length > 0) {
            for (const lease of held.splice(action % held.length, 1)) {
              assert.equal(table.release(lease), true);
              given.push(lease);
            }
          } else if (given.length > 0) {
            assert.equal(table.release(given[action % given.length]!), false);
          }
          assert.equal(table.leased, held.length);
          assert.equal(new Set(held.map(({ index }) => index)).size, held.length);
          assert.ok(
            held.every((lease) => table.isCurrent(lease)) &&
              !given.some((lease) => table.isCurrent(lease)),
          );
        }
      },
    ),
  );
});
