import assert from "node:assert/strict";
import fc from "fast-check";
import {
  byUrgency,
  type Candidate,
  LIVE_HOPS,
  nextBatch,
  POLICY,
} from "../../../inference/worker/scheduler.ts";

const candidate = fc.record({
  channels: fc.constantFrom(1, 1, 2, 8),
  hopsReady: fc.nat(200),
  mostHops: fc.constantFrom(1, 2, Infinity),
  urgency: fc.constantFrom("punctual" as const, "live" as const, "file" as const),
  waitingSince: fc.nat(1000),
});
const maxRows = fc.constantFrom(8, 16, 64);

const anyone = fc.array(candidate, { minLength: 1, maxLength: 40 });
const options = fc.record({ maxRows, speaking: fc.boolean() });
const rowsOf = (streams: readonly Candidate[], hops: number) =>
  hops * streams.reduce((sum, { channels }) => sum + channels, 0);
const isPunctual = ({ urgency }: Candidate) => urgency === "punctual";

Deno.test("nextBatch() is empty only when nothing is ready, and never takes too much", () => {
  fc.assert(fc.property(fc.array(candidate, { maxLength: 40 }), options, (candidates, options) => {
    const batch = nextBatch(candidates, options);
    if (!batch) return assert.ok(candidates.every(({ hopsReady }) => hopsReady === 0));
    assert.ok(batch.streams.length > 0 && rowsOf(batch.streams, batch.hops) <= options.maxRows);
    assert.equal(new Set(batch.streams).size, batch.streams.length);
    for (const { hopsReady, mostHops } of batch.streams) {
      assert.ok(Math.min(hopsReady, mostHops) >= batch.hops);
    }
  }));
});

Deno.test("nextBatch() serves punctual streams, then live ones, then files; oldest first", () => {
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

Deno.test("nextBatch() bounds what a speaker waits for, and lets others join in room", () => {
  fc.assert(fc.property(anyone, (candidates) => {
    const batch = nextBatch(candidates, { maxRows: 64, speaking: true });
    if (!batch) return;
    const others = batch.streams.filter((stream) => !isPunctual(stream));
    const rowsOfOthers = rowsOf(others, batch.hops);
    assert.ok(rowsOfOthers <= POLICY.rowsBesidePunctual);
    if (!isPunctual(batch.streams[0])) return;
    const room = Math.min(
      POLICY.rowsBesidePunctual - rowsOfOthers,
      64 - rowsOf(batch.streams, batch.hops),
    );
    const leftOut = candidates.filter((one) =>
      !isPunctual(one) && Math.min(one.hopsReady, one.mostHops) >= batch.hops &&
      one.hopsReady > 0 && !others.includes(one)
    );
    assert.ok(leftOut.every((one) => rowsOf([one], batch.hops) > room));
  }));
});

Deno.test("nextBatch() takes long strides where nobody waits for them", () => {
  const hopsOf = (urgency: Candidate["urgency"], speaking: boolean) =>
    nextBatch([{ channels: 1, hopsReady: 5000, mostHops: Infinity, urgency, waitingSince: 0 }], {
      maxRows: 64,
      speaking,
    })
      ?.hops;
  assert.equal(hopsOf("live", false), LIVE_HOPS);
  assert.equal(hopsOf("live", true), POLICY.rowsBesidePunctual);
  assert.equal(hopsOf("file", false), 64);
  assert.equal(hopsOf("file", true), POLICY.rowsBesidePunctual);
});

Deno.test("nextBatch() lets files share a step, with at least 8 hops of each", () => {
  const shapeOf = (count: number, speaking = false) => {
    const files = Array.from({ length: count }, (_, waitingSince): Candidate => {
      return { channels: 1, hopsReady: 5000, mostHops: Infinity, urgency: "file", waitingSince };
    });
    const { hops, streams } = nextBatch(files, { maxRows: 64, speaking })!;
    return [streams.length, hops];
  };
  assert.deepEqual(shapeOf(2), [2, 32]);
  assert.deepEqual(shapeOf(3), [2, 32]);
  assert.deepEqual(shapeOf(5), [4, 16]);
  assert.deepEqual(shapeOf(8), [8, 8]);
  assert.deepEqual(shapeOf(50), [8, 8]);
  assert.deepEqual(shapeOf(8, true), [1, 8]);
});

Deno.test("nextBatch() serves a punctual stream before a backlog, which joins by hops", () => {
  const flood = {
    channels: 1,
    hopsReady: 5000,
    mostHops: Infinity,
    urgency: "live" as const,
    waitingSince: 0,
  };
  const speaker = {
    channels: 1,
    hopsReady: 1,
    mostHops: Infinity,
    urgency: "punctual" as const,
    waitingSince: 1,
  };
  assert.deepEqual(nextBatch([flood, speaker], { maxRows: 64, speaking: true }), {
    hops: 1,
    streams: [speaker, flood],
  });
});

Deno.test("byUrgency() puts the one who has waited longest first, among equals alone", () => {
  const one = (urgency: Candidate["urgency"], waitingSince: number): Candidate => {
    return { channels: 1, hopsReady: 1, mostHops: Infinity, urgency, waitingSince };
  };
  assert.ok(byUrgency(one("live", 1), one("live", 2)) < 0);
  assert.ok(byUrgency(one("live", 2), one("live", 1)) > 0);
  assert.ok(byUrgency(one("punctual", 9), one("live", 1)) < 0);
  assert.ok(byUrgency(one("live", 9), one("file", 1)) < 0);
});

Deno.test("nextBatch() starves nobody: streams that are always ready take turns", () => {
  for (const urgency of ["punctual", "live", "file"] as const) {
    let now = 0;
    const streams = Array.from({ length: 10 }, () => {
      return { channels: 1, hopsReady: 1, mostHops: 1, urgency, waitingSince: now++ };
    });
    const served = streams.map(() => 0);
    for (let step = 0; step < 100; step++) {
      for (const stream of nextBatch(streams, { maxRows: 3, speaking: false })!.streams) {
        served[streams.indexOf(stream)]++;
        stream.waitingSince = now++;
      }
    }
    assert.ok(served.every((times) => times === 30), `${urgency}: ${served}`);
  }
});

Deno.test("nextBatch() gives a stream of many channels its turn beside full steps", () => {
  for (const speaking of [false, true]) {
    let now = 0;
    const streams = [8, ...Array<number>(12).fill(1)].map((channels) => {
      return { channels, hopsReady: 1, mostHops: 1, urgency: "live" as const, waitingSince: now++ };
    });
    const served = streams.map(() => 0);
    for (let step = 0; step < 100; step++) {
      for (const stream of nextBatch(streams, { maxRows: 8, speaking })!.streams) {
        served[streams.indexOf(stream)]++;
        stream.waitingSince = now++;
      }
    }
    assert.ok(served.every((times) => times >= 33), `${served}`);
  }
});

Deno.test("nextBatch() takes as many hops of a wide stream as fit into the rows", () => {
  const hopsOf = (urgency: Candidate["urgency"], channels: number, speaking = false) =>
    nextBatch([{ channels, hopsReady: 5000, mostHops: Infinity, urgency, waitingSince: 0 }], {
      maxRows: 64,
      speaking,
    })?.hops;
  assert.equal(hopsOf("file", 2), 32);
  assert.equal(hopsOf("live", 8), 8);
  assert.equal(hopsOf("live", 2, true), 4);
  assert.equal(hopsOf("live", 8, true), 1);
});
