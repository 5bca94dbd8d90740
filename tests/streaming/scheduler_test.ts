import assert from "node:assert/strict";
import fc from "fast-check";
import { byUrgency, type Candidate, isPunctual, LIVE_HOPS, nextBatch, ROWS_BESIDE_PUNCTUAL } from "../../streaming/scheduler.ts";

const candidate = fc.record({
  hopsReady: fc.nat(200),
  young: fc.boolean(),
  priority: fc.constantFrom("live" as const, "file" as const),
  waitingSince: fc.nat(1000),
});
const maxRows = fc.constantFrom(1, 8, 64);

Deno.test("nextBatch() is empty only when nothing is ready, and never takes more than is there", () => {
  fc.assert(fc.property(fc.array(candidate, { maxLength: 40 }), maxRows, fc.boolean(), (candidates, maxRows, punctualOpen) => {
    const batch = nextBatch(candidates, { maxRows, punctualOpen });
    if (!batch) return assert.ok(candidates.every(({ hopsReady }) => hopsReady === 0));
    assert.ok(batch.streams.length * batch.hops <= maxRows);
    assert.equal(new Set(batch.streams).size, batch.streams.length);
    for (const { hopsReady, young } of batch.streams) {
      assert.ok(hopsReady >= batch.hops);
      if (young) assert.equal(batch.hops, 1);
    }
  }));
});

Deno.test("nextBatch() serves punctual streams first, then other live ones, then files; among equals the longest waiting", () => {
  fc.assert(fc.property(fc.array(candidate, { minLength: 1, maxLength: 40 }), fc.boolean(), (candidates, punctualOpen) => {
    const batch = nextBatch(candidates, { maxRows: 64, punctualOpen });
    if (!batch) return;
    const ready = candidates.filter(({ hopsReady }) => hopsReady > 0);
    assert.ok(ready.every((other) => byUrgency(batch.streams[0], other) <= 0));
    const [live, file] = ["live", "file"].map((priority) => ready.find((candidate) => candidate.priority === priority));
    if (live && file) assert.ok(byUrgency(live, file) < 0);
  }));
});

Deno.test("nextBatch() bounds the rows that punctual streams wait for, and gives the others some in every step that they fit in", () => {
  fc.assert(fc.property(fc.array(candidate, { minLength: 1, maxLength: 40 }), (candidates) => {
    const batch = nextBatch(candidates, { maxRows: 64, punctualOpen: true });
    if (!batch) return;
    const others = batch.streams.filter((stream) => !isPunctual(stream)).length;
    assert.ok(others * batch.hops <= ROWS_BESIDE_PUNCTUAL);
    const couldJoin = candidates.some((one) => {
      return !isPunctual(one) && one.hopsReady >= batch.hops && (batch.hops === 1 || !one.young);
    });
    const hasRoom = (batch.streams.length - others + 1) * batch.hops <= 64;
    if (couldJoin && hasRoom && batch.hops <= ROWS_BESIDE_PUNCTUAL) assert.ok(others > 0);
  }));
});

Deno.test("nextBatch() takes long strides where nobody waits for them", () => {
  const make = (priority: Candidate["priority"]) => ({ hopsReady: 5000, young: false, priority, waitingSince: 0 });
  const hopsOf = (priority: Candidate["priority"], punctualOpen: boolean) =>
    nextBatch([make(priority)], { maxRows: 64, punctualOpen })?.hops;
  assert.equal(hopsOf("live", false), LIVE_HOPS);
  assert.equal(hopsOf("live", true), ROWS_BESIDE_PUNCTUAL);
  assert.equal(hopsOf("file", false), 64);
  assert.equal(hopsOf("file", true), ROWS_BESIDE_PUNCTUAL);
});

Deno.test("nextBatch() lets a punctual stream go before an endless backlog, and serves the backlog beside it", () => {
  const flood = { hopsReady: 5000, young: false, priority: "live" as const, waitingSince: 0 };
  const healthy = { hopsReady: 1, young: false, priority: "live" as const, waitingSince: 1 };
  const batch = nextBatch([flood, healthy], { maxRows: 64, punctualOpen: true });
  assert.deepEqual(batch, { hops: 1, streams: [healthy, flood] });
});
