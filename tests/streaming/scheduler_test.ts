import assert from "node:assert/strict";
import fc from "fast-check";
import { type Candidate, FILE_ROWS_BESIDE_LIVE, LIVE_HOPS, nextBatch } from "../../streaming/scheduler.ts";

const candidate = fc.record({
  hopsReady: fc.nat(200),
  young: fc.boolean(),
  priority: fc.constantFrom("live" as const, "file" as const),
  waitingSince: fc.nat(1000),
});
const maxRows = fc.constantFrom(1, 8, 64);

Deno.test("nextBatch() is empty only when nothing is ready, and never takes more than is there", () => {
  fc.assert(fc.property(fc.array(candidate, { maxLength: 40 }), maxRows, fc.nat(3), (candidates, maxRows, liveOpen) => {
    const batch = nextBatch(candidates, { maxRows, liveOpen });
    if (!batch) return assert.ok(candidates.every(({ hopsReady }) => hopsReady === 0));
    assert.ok(batch.streams.length * batch.hops <= maxRows);
    assert.equal(new Set(batch.streams).size, batch.streams.length);
    for (const { hopsReady, young } of batch.streams) {
      assert.ok(hopsReady >= batch.hops);
      if (young) assert.equal(batch.hops, 1);
    }
  }));
});

Deno.test("nextBatch() serves live streams before files, the longest waiting first", () => {
  fc.assert(fc.property(fc.array(candidate, { minLength: 1, maxLength: 40 }), (candidates) => {
    const batch = nextBatch(candidates, { maxRows: 64, liveOpen: 2 });
    const ready = candidates.filter(({ hopsReady }) => hopsReady > 0);
    if (!batch) return;
    const kind = ready.some(({ priority }) => priority === "live") ? "live" : "file";
    assert.equal(batch.streams[0].priority, kind);
    const oldest = Math.min(...ready.filter(({ priority }) => priority === kind).map(({ waitingSince }) => waitingSince));
    assert.equal(batch.streams[0].waitingSince, oldest);
  }));
});

Deno.test("nextBatch() bounds what one stream's backlog costs the others", () => {
  const make = (priority: Candidate["priority"]) => ({ hopsReady: 5000, young: false, priority, waitingSince: 0 });
  assert.equal(nextBatch([make("live")], { maxRows: 64, liveOpen: 1 })?.hops, LIVE_HOPS.alone);
  assert.equal(nextBatch([make("live")], { maxRows: 64, liveOpen: 2 })?.hops, LIVE_HOPS.beside);
  assert.equal(nextBatch([make("file")], { maxRows: 64, liveOpen: 1 })?.hops, FILE_ROWS_BESIDE_LIVE);
  assert.equal(nextBatch([make("file")], { maxRows: 64, liveOpen: 0 })?.hops, 64);
});

Deno.test("nextBatch() gives files few rows while live streams are open, but never none", () => {
  fc.assert(fc.property(fc.array(candidate, { minLength: 1, maxLength: 40 }), fc.nat(3), (candidates, others) => {
    const liveOpen = candidates.filter(({ priority }) => priority === "live").length + others;
    const batch = nextBatch(candidates, { maxRows: 64, liveOpen });
    if (!batch || liveOpen === 0) return;
    const files = batch.streams.filter(({ priority }) => priority === "file").length;
    assert.ok(files * batch.hops <= Math.max(FILE_ROWS_BESIDE_LIVE, batch.hops));
    const couldJoin = candidates.some(({ priority, hopsReady, young }) =>
      priority === "file" && hopsReady >= batch.hops && (batch.hops === 1 || !young)
    );
    if (couldJoin && (batch.streams.length - files + 1) * batch.hops <= 64) assert.ok(files > 0);
  }));
});

Deno.test("nextBatch() never starves a stream beside one with an endless backlog", () => {
  const flood = { hopsReady: 5000, young: false, priority: "live" as const, waitingSince: 0 };
  const healthy = { hopsReady: 1, young: false, priority: "live" as const, waitingSince: 1 };
  const first = nextBatch([flood, healthy], { maxRows: 64, liveOpen: 2 });
  assert.deepEqual(first?.streams, [flood]);
  flood.waitingSince = 2; // served
  const second = nextBatch([flood, healthy], { maxRows: 64, liveOpen: 2 });
  assert.deepEqual(second?.streams, [healthy, flood]);
});
