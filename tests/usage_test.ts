import assert from "node:assert/strict";
import { Usage } from "../usage.ts";

const DAY_MS = 86_400_000;

Deno.test("Usage.of() tells a key its own days, the oldest first", async () => {
  let dateMs = Date.UTC(2026, 0, 1, 23);
  const usage = new Usage({ dateMs: () => dateMs });
  usage.add("a", "audio_seconds", 1.5);
  usage.add("a", "audio_seconds", 1);
  usage.add("b", "frames", 9);
  dateMs += 2 * 3_600_000;
  usage.add("a", "frames", 7);
  usage.add("a", "requests", 1);
  assert.deepEqual(await usage.of("a"), [
    { day: "2026-01-01", audio_seconds: 2.5, frames: 0, requests: 0 },
    { day: "2026-01-02", audio_seconds: 0, frames: 7, requests: 1 },
  ]);
  assert.deepEqual(await usage.of("nobody"), []);
  usage.add("a", "frames", 2);
  const frames = (await usage.of("a")).map(({ frames }) => frames);
  assert.deepEqual(frames, [0, 9], "read before");
});

Deno.test("Usage.add() keeps the days of a month", async () => {
  let dateMs = Date.UTC(2026, 0, 1);
  const usage = new Usage({ dateMs: () => dateMs });
  for (let day = 0; day < 40; day++, dateMs += DAY_MS) usage.add("a", "frames", 1);
  const days = await usage.of("a");
  assert.deepEqual([days.length, days[0]?.day], [31, "2026-01-10"]);
});

Deno.test("Usage has one series of each metric for a key, whatever the days", async () => {
  let dateMs = Date.UTC(2026, 0, 1);
  const usage = new Usage({ dateMs: () => dateMs });
  for (let day = 0; day < 40; day++, dateMs += DAY_MS) usage.addAll("a", { frames: 2 });
  const lines = (await usage.text()).split("\n").filter((line) => line.includes("{"));
  assert.deepEqual(lines, ['cpc_usage_frames_total{key="a"} 80']);
});

Deno.test("Usage.take() tells a supervisor the news once; days are its own", async () => {
  let dateMs = Date.UTC(2026, 0, 1);
  const usage = new Usage({ dateMs: () => dateMs });
  const ofAll = [{ day: "2026-01-01", audio_seconds: 5, frames: 6, requests: 7 }];
  usage.ofAll = (key) => Promise.resolve(key === "a" ? ofAll : []);
  usage.add("a", "frames", 2);
  dateMs += DAY_MS;
  usage.add("a", "frames", 1);
  usage.add("b", "audio_seconds", 0.5);
  assert.match(await usage.text(), /^cpc_usage_frames_total\{key="a"\} 3$/m);
  assert.deepEqual(usage.take(), [["a", { frames: 3 }], ["b", { audio_seconds: 0.5 }]]);
  assert.deepEqual(usage.take(), []);
  assert.equal(await usage.of("a"), ofAll);
});

Deno.test("Usage.text() gives the event loop its turn, and Prometheus' text", async () => {
  const usage = new Usage();
  for (let i = 0; i < 1200; i++) usage.add(`a "key" ${i}`, "frames", i);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const text = await usage.text();
  clearInterval(timer);
  assert.ok(turns > 0);
  const lines = (text: string) => text.split("\n").filter((line) => line !== "");
  assert.deepEqual(lines(text), lines(await usage.registry.metrics()));
});
