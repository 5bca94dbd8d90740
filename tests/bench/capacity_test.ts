import assert from "node:assert/strict";
import fc from "fast-check";
import { isHeld, streamUrl } from "../../bench/capacity.ts";
import { largestHeld } from "../../bench/capacity_search.ts";
import { summary } from "../../bench/paced_load.ts";
import { bench } from "../../commands/bench.ts";

const report = { latenciesMs: [30, 10, 20], lagsMs: [1], owed: 0, messages: 3, ended: [] };

Deno.test("largestHeld() finds the threshold in logarithmically many tries", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(5000), fc.integer({ min: 1, max: 5000 }), async (threshold, most) => {
      const tried: number[] = [];
      const holds = (streams: number) => {
        tried.push(streams);
        return Promise.resolve(streams <= threshold);
      };
      assert.equal(await largestHeld(holds, { most }), Math.min(threshold, most));
      assert.ok(tried.every((streams) => streams >= 1 && streams <= most));
      assert.equal(new Set(tried).size, tried.length);
      assert.ok(tried.length <= 2 * Math.ceil(Math.log2(Math.min(threshold, most) + 1)) + 2);
    }),
  );
});

Deno.test("summary() joins the threads' latencies, and counts what was owed and ended", () => {
  const other = {
    latenciesMs: [40, 50],
    lagsMs: [2, 0],
    owed: 3,
    messages: 2,
    ended: ["full", "full"],
  };
  assert.deepEqual(summary(4, [report, other]), {
    streams: 4,
    p50Ms: 30,
    p90Ms: 50,
    p95Ms: 50,
    p99Ms: 50,
    maxMs: 50,
    owedFrames: 3,
    messages: 5,
    ended: 2,
    reason: "full",
    lagP99Ms: 2,
  });
});

Deno.test("isHeld() takes every frame, every stream, and a load generator on time", () => {
  const level = summary(1, [report]);
  assert.ok(isHeld(level));
  for (const broken of [{ p99Ms: 40.1 }, { owedFrames: 1 }, { ended: 1 }, { lagP99Ms: 20.1 }]) {
    assert.ok(!isHeld({ ...level, ...broken }), JSON.stringify(broken));
  }
  assert.ok(!isHeld(summary(1, [{ ...report, latenciesMs: [] }])), "nothing came");
});

Deno.test("streamUrl() adds the protocol's route to a bare address", () => {
  assert.equal(streamUrl("ws://127.0.0.1:8000"), "ws://127.0.0.1:8000/v1/stream");
  assert.equal(streamUrl("http://127.0.0.1:8000/"), "ws://127.0.0.1:8000/v1/stream");
  assert.equal(streamUrl("wss://example.org/cpc/v1/stream"), "wss://example.org/cpc/v1/stream");
});

Deno.test("deno task bench refuses capacity's flags without --only capacity", async () => {
  const { error } = console;
  let said = "";
  console.error = (line: string) => said += line;
  try {
    assert.equal(await bench(["--streams", "3"]), 2);
    assert.equal(await bench(["--only", "capacity", "--url", "localhost:8000"]), 2);
  } finally {
    console.error = error;
  }
  assert.match(said, /--streams needs --only capacity.*--url takes ws:\/\/HOST:PORT/);
});

Deno.test("deno task bench --only capacity fails with 1 where no server takes a stream", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `ws://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  listener.close();
  const { error, log } = console;
  let said = "";
  console.error = (line: string) => said += line;
  console.log = () => {};
  try {
    const args = ["--only", "capacity", "--url", url, "--streams", "1", "--seconds", "1"];
    assert.equal(await bench(args), 1);
  } finally {
    Object.assign(console, { error, log });
  }
  assert.match(said, /no stream can be opened at ws:.*ECONNREFUSED/);
});
