import assert from "node:assert/strict";
import { largestHeld } from "../../bench/capacity_search.ts";
import type { Level } from "../../bench/paced_load.ts";
import { largestDifference } from "../../bench/peers/contexts.ts";
import { tableOfPeers } from "../../bench/peers/table.ts";
import { Turns } from "../../bench/peers/turns.ts";

Deno.test("Turns.take() gives each who waits one turn, whatever one throws", async () => {
  const turns = new Turns();
  const done: string[] = [];
  const work = async (name: string) => {
    for (let i = 0; i < 3; i++) {
      await turns.take(async () => {
        done.push(`${name} begins`);
        await Promise.resolve();
        done.push(`${name} ends`);
        if (i === 1) throw new RangeError(name);
      }).catch((error) => assert.ok(error instanceof RangeError));
    }
  };
  await Promise.all(["a", "b"].map(work));
  const round = ["a begins", "a ends", "b begins", "b ends"];
  assert.deepEqual(done, [...round, ...round, ...round]);
});

Deno.test("largestHeld() ends as soon as it is near enough", async () => {
  const tried: number[] = [];
  const holds = (streams: number) => {
    tried.push(streams);
    return Promise.resolve(streams <= 45);
  };
  assert.equal(await largestHeld(holds, { most: 1000 }), 45);
  const [to, exact] = [tried.splice(0).length, 45];
  const near = await largestHeld(holds, { most: 1000, within: 0.05 });
  assert.ok(near <= exact && near >= 0.95 * exact && tried.length < to, `${near}: ${tried}`);
});

Deno.test("largestDifference() compares frames that both have; missing ones are Infinity", () => {
  const truth = [Float32Array.of(1, 2, 3, 4, 5, 6)];
  const options = { width: 2, tailFrames: 1 };
  const of = (...rows: number[]) => largestDifference(truth, [Float32Array.from(rows)], options);
  assert.equal(of(1, 2, 3, 4, 5, 6), 0);
  assert.equal(of(1, 2, 3.5, 4), 0.5); // its tail is left out
  assert.equal(of(1, 2), Infinity);
  assert.equal(of(1, 2, 3, 4, 5, 6, 7, 8), Infinity);
  assert.equal(largestDifference(truth, [], options), Infinity);
});

Deno.test("tableOfPeers() is Markdown: a row for each server, and why others are left out", () => {
  const level: Level = {
    streams: 1,
    p50Ms: 3.21,
    p90Ms: 4,
    p95Ms: 4,
    p99Ms: 12.3,
    maxMs: 20,
    owedFrames: 0,
    messages: 50,
    ended: 0,
    lagP99Ms: 1,
    serverCores: 0.5,
  };
  const server = { startMs: 812, difference: 2.1e-6, memoryMB: 300.4 };
  const row = { alone: level, server };
  const lines = tableOfPeers({
    rows: [
      { ...row, name: "ours", largest: 10, full: { ...level, p99Ms: 38 }, shareOfLimit: 1.05 },
      { ...row, name: "slow", largest: 0, shareOfLimit: 0 },
      { name: "bare", largest: 12, alone: level, full: level, shareOfLimit: 1.2 },
    ],
    leftOut: [{ name: "none", why: "not set up" }],
    limitFlops: 1e11,
  });
  const cells = lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assert.equal(new Set(lines.map((line) => line.length)).size, 1);
  assert.deepEqual(cells[2], ["ours", "10", "3.2 · 12", "38", "50", "105 %", "300", "0.8", "2e-6"]);
  assert.deepEqual(cells[3], ["slow", "0", "3.2 · 12", "–", "–", "–", "300", "0.8", "2e-6"]);
  assert.deepEqual(cells[4]!.slice(-3), ["–", "–", "–"]); // it is no server
  assert.deepEqual(cells[5]!.slice(0, 2), ["none", "not set up"]);
});
