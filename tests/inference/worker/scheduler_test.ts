import assert from "node:assert/strict";
import fc from "fast-check";
import {
  byUrgency,
  type Candidate,
  holdMs,
  LIVE_HOPS,
  nextBatch,
  othersDue,
  ROWS_BESIDE_PUNCTUAL,
} from "../../../inference/worker/scheduler.ts";

const candidate = fc.record({
  hopsReady: fc.nat(200),
  mostHops: fc.constantFrom(1, 2, Infinity),
  urgency: fc.constantFrom("punctual" as const, "live" as const, "file" as const),
  waitingSince: fc.nat(1000),
});
const maxRows = fc.constantFrom(1, 8, 64);

const anyone = fc.array(candidate, { minLength: 1, maxLength: 40 });
const options = fc.record({ maxRows, speaking: fc.boolean(), othersDue: fc.boolean() });
const isPunctual = ({ urgency }: Candidate) => urgency === "punctual";

Deno.test("nextBatch() is empty only when nothing is ready, and never takes more than is there", () => {
  fc.assert(fc.property(fc.array(candidate, { maxLength: 40 }), options, (candidates, options) => {
    const batch = nextBatch(candidates, options);
    if (!batch) return assert.ok(candidates.every(({ hopsReady }) => hopsReady === 0));
    assert.ok(batch.streams.length * batch.hops <= options.maxRows);
    assert.equal(new Set(batch.streams).size, batch.streams.length);
    for (const { hopsReady, mostHops } of batch.streams) {
      assert.ok(Math.min(hopsReady, mostHops) >= batch.hops);
    }
  }));
});

Deno.test("nextBatch() serves punctual streams first, then other live ones, then files; among equals the longest waiting", () => {
  fc.assert(fc.property(anyone, options, (candidates, options) => {
    const batch = nextBatch(candidates, options);
    if (!batch) return;
    const ready = candidates.filter(({ hopsReady }) => hopsReady > 0);
    assert.ok(ready.every((other) => byUrgency(batch.streams[0], other) <= 0));
    const order = (["punctual", "live", "file"] as const).flatMap((urgency) =>
      ready.find((one) => one.urgency === urgency) ?? []
    );
    assert.deepEqual(order, order.toSorted(byUrgency));
  }));
});

Deno.test("nextBatch() bounds the rows that a speaker waits for; what is due joins punctual streams, nothing else does", () => {
  fc.assert(fc.property(anyone, fc.boolean(), (candidates, othersDue) => {
    const batch = nextBatch(candidates, { maxRows: 64, speaking: true, othersDue });
    if (!batch) return;
    const others = batch.streams.filter((stream) => !isPunctual(stream)).length;
    assert.ok(others * batch.hops <= ROWS_BESIDE_PUNCTUAL);
    if (!isPunctual(batch.streams[0])) return;
    if (!othersDue) return assert.equal(others, 0);
    const couldJoin = candidates.some((one) =>
      !isPunctual(one) && Math.min(one.hopsReady, one.mostHops) >= batch.hops
    );
    const hasRoom = (batch.streams.length - others + 1) * batch.hops <= 64;
    if (couldJoin && hasRoom && batch.hops <= ROWS_BESIDE_PUNCTUAL) assert.ok(others > 0);
  }));
});

Deno.test("nextBatch() takes long strides where nobody waits for them", () => {
  const hopsOf = (urgency: Candidate["urgency"], speaking: boolean) =>
    nextBatch([{ hopsReady: 5000, mostHops: Infinity, urgency, waitingSince: 0 }], {
      maxRows: 64,
      speaking,
      othersDue: true,
    })
      ?.hops;
  assert.equal(hopsOf("live", false), LIVE_HOPS);
  assert.equal(hopsOf("live", true), ROWS_BESIDE_PUNCTUAL);
  assert.equal(hopsOf("file", false), 64);
  assert.equal(hopsOf("file", true), ROWS_BESIDE_PUNCTUAL);
});

Deno.test("nextBatch() lets a punctual stream go before an endless backlog, and serves the backlog beside it when it is due", () => {
  const flood = { hopsReady: 5000, mostHops: Infinity, urgency: "live" as const, waitingSince: 0 };
  const healthy = {
    hopsReady: 1,
    mostHops: Infinity,
    urgency: "punctual" as const,
    waitingSince: 1,
  };
  const streamsOf = (othersDue: boolean) =>
    nextBatch([flood, healthy], { maxRows: 64, speaking: true, othersDue });
  assert.deepEqual(streamsOf(false), { hops: 1, streams: [healthy] });
  assert.deepEqual(streamsOf(true), { hops: 1, streams: [healthy, flood] });
});

Deno.test("holdMs() keeps the engine free for audio that comes before a step would end, but not for ever", () => {
  const last = { endedMs: 1000, tookMs: 5 };
  const at = (nowMs: number) => ({ fromMs: nowMs, toMs: nowMs + 6 });
  assert.equal(holdMs({ expected: [], nowMs: 1000, last }), 0);
  // the step ends just in time
  assert.equal(holdMs({ expected: [at(1005)], nowMs: 1000, last }), 0);
  assert.equal(holdMs({ expected: [at(1020), at(1004), at(1003)], nowMs: 1000, last }), 9);
  assert.equal(holdMs({ expected: [at(1021)], nowMs: 1020, last }), 7);
  assert.ok(!othersDue(last, 1020));
  assert.ok(othersDue(last, 1021));
  assert.equal(holdMs({ expected: [at(1022)], nowMs: 1021, last }), 0);
  assert.equal(holdMs({ expected: [at(1)], nowMs: 0, last: { endedMs: -Infinity, tookMs: 0 } }), 0);
});
