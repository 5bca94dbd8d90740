import assert from "node:assert/strict";
import fc from "fast-check";
import { type Waiting, WaitingList } from "../../../streaming/session/waiting_list.ts";

interface One extends Waiting {
  readonly name: number;
}

function streamsOf(waiting: readonly One[]): number {
  return waiting.reduce((sum, { streams }) => sum + streams, 0);
}

/** Whether one of those that wait, oldest first, may go first. */
function mayGoFirst(one: One, waiting: readonly One[]): boolean {
  const unheard = waiting.find(({ isUnheard }) => isUnheard);
  if (unheard) return one === unheard;
  const byClient = Map.groupBy(waiting, ({ client }) => client);
  const most = Math.max(...byClient.values().map(streamsOf));
  const own = byClient.get(one.client)!;
  return streamsOf(own) === most && one === own[0];
}

const change = fc.oneof(
  fc.record({
    client: fc.constantFrom("a", "b", "c"),
    streams: fc.integer({ min: 1, max: 3 }),
    isUnheard: fc.boolean(),
  }),
  fc.nat(), // one of those that wait leaves
  fc.constant("first goes" as const),
);

Deno.test("WaitingList counts and chooses as one who looks at all of them", () => {
  fc.assert(fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
    const list = new WaitingList<One>();
    let waiting: One[] = [];
    for (const [name, change] of changes.entries()) {
      if (typeof change === "object") {
        const one = { name, ...change };
        waiting.push(one);
        list.add(one);
      } else {
        const one = change === "first goes" ? list.firstToGo : waiting[change % waiting.length];
        if (!one) continue;
        waiting = waiting.filter((other) => other !== one);
        list.remove(one);
        list.remove(one); // it is gone
      }
      assert.deepEqual([...list], waiting);
      assert.equal(list.size, waiting.length);
      assert.equal(list.streams, streamsOf(waiting));
      const first = list.firstToGo;
      assert.ok(first ? mayGoFirst(first, waiting) : waiting.length === 0);
    }
  }));
});

Deno.test("WaitingList.firstToGo is of the client who has most streams, not most sessions", () => {
  const list = new WaitingList<One>();
  for (let name = 0; name < 3; name++) {
    list.add({ name, client: "many", streams: 1, isUnheard: false });
  }
  list.add({ name: 3, client: "wide", streams: 4, isUnheard: false });
  assert.equal(list.firstToGo?.name, 3);
});
