import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { capacity, isHeld, streamUrl } from "../../bench/capacity.ts";
import { largestHeld } from "../../bench/capacity_search.ts";
import { summary } from "../../bench/paced_load.ts";
import { bench } from "../../commands/bench.ts";
import { withServer } from "../support/stream_server.ts";

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

Deno.test("capacity() measures a server of the protocol, and writes a table, JSON and a chart", async () => {
  const out = await Deno.makeTempDir();
  try {
    await withServer({}, async ({ url }) => {
      const lines: string[] = [];
      const print = (line: string) => lines.push(line);
      await capacity({ model: "none", url, seconds: 1, streams: 2, out, print });
      assert.match(lines.at(-2)!, /^ {6}2 ( +\d+\.\d){5} +0 +0 +– +\d+\.\d +(yes|no)$/);
      assert.match(lines.at(-1)!, /^largest number of streams held at p99 ≤ 40 ms: [02]$/);
    });
    const { levels, largest } = JSON.parse(await Deno.readTextFile(join(out, "capacity.json")));
    assert.equal(levels.length, 1);
    assert.equal(largest, isHeld(levels[0]) ? 2 : 0);
    assert.ok(levels[0].p50Ms > 0 && levels[0].maxMs >= levels[0].p99Ms);
    assert.match(await Deno.readTextFile(join(out, "capacity.svg")), /^<svg/);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

Deno.test("capacity() starts a server of its own, and reads its time on processors", async () => {
  const lines: string[] = [];
  const print = (line: string) => lines.push(line);
  await capacity({ model: "weights/cpc-small", seconds: 1, streams: 1, print });
  const cpu = Deno.build.os === "linux" ? "\\d\\.\\d\\d" : "–";
  assert.match(lines.at(-2)!, new RegExp(`^ {6}1 ( +[\\d.]+){5} +\\d+ +0 +${cpu} `));
  assert.match(lines.at(-1)!, /: [01]$/);
});

Deno.test("capacity() counts streams that are refused, and says why", async () => {
  await withServer({ keys: true }, async ({ url }) => {
    const lines: string[] = [];
    const print = (line: string) => lines.push(line);
    await capacity({ model: "none", url, key: "wrong", seconds: 1, streams: 2, print });
    assert.match(lines.at(-2)!, / 2 +– .* no {2}\(the server does not know this key\)$/);
    assert.match(lines.at(-1)!, /: 0$/);
    await capacity({ model: "none", url, key: "key-a", seconds: 1, streams: 1, print });
    assert.match(lines.at(-2)!, / 0 +0 +– .* (yes|no)$/);
  });
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
