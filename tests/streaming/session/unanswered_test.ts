import assert from "node:assert/strict";
import { SILENT_MS, Unanswered } from "../../../streaming/session/unanswered.ts";

Deno.test("Unanswered.look() finds a store silent whose oldest write was late before", () => {
  const writes = new Unanswered();
  assert.equal(writes.look(0), false, "nothing waits");
  const first = writes.add({ sinceMs: 0, bytes: 3 });
  writes.add({ sinceMs: SILENT_MS, bytes: 4 });
  assert.equal(writes.look(10 * SILENT_MS), false, "this thread may have been busy");
  assert.equal(writes.look(10 * SILENT_MS), true);
  writes.settled(first);
  assert.equal(writes.look(10 * SILENT_MS), false, "another one is the oldest now");
});

Deno.test("Unanswered.look() gives a late write the rest of its time", () => {
  const writes = new Unanswered();
  writes.add({ sinceMs: 0, bytes: 1 });
  assert.equal(writes.look(SILENT_MS / 2 + 1), false);
  assert.equal(writes.look(SILENT_MS), false);
  assert.equal(writes.look(SILENT_MS + 1), true);
});

Deno.test("Unanswered counts bytes once, whenever answers come", () => {
  const writes = new Unanswered();
  const [first, second] = [3, 4].map((bytes) => writes.add({ sinceMs: 0, bytes }));
  assert.equal(writes.bytes, 7);
  writes.settled(first!);
  writes.settled(first!);
  assert.equal(writes.bytes, 4);
  writes.clear();
  writes.settled(second!);
  assert.deepEqual([writes.bytes, writes.isEmpty], [0, true]);
});
