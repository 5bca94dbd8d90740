import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { Reading } from "../../routes/reading.ts";
import { Rests } from "../../streaming/rests.ts";

/** A socket whose bytes take as many milliseconds as they say, and that rests when told. */
function socket({ rests = new Rests(() => new Promise(() => {})) } = {}) {
  const bytes = new EventEmitter<{ data: [takesMs: number] }>();
  const calls: string[] = [];
  let nowMs = 0;
  bytes.on("data", (takesMs) => nowMs += takesMs); // whoever works on them
  const reading = new Reading({
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
  }, { bytes, rests, nowMs: () => nowMs });
  return { bytes, calls, reading };
}

/** Rests that end one by one, by hand; `turns`: for how many the others were heard, each time. */
function rests() {
  const turns: number[] = [];
  let end = () => {};
  const all = new Rests((count) => {
    turns.push(count);
    return new Promise<void>((resolve) => end = resolve);
  });
  return {
    all,
    turns,
    async endOne() {
      end();
      for (let i = 0; i < 5; i++) await Promise.resolve();
    },
  };
}

Deno.test("a socket whose bytes took long is read again once the others were heard", async () => {
  const { all, turns, endOne } = rests();
  const { bytes, calls } = socket({ rests: all });
  for (let i = 0; i < 100; i++) bytes.emit("data", 1);
  assert.deepEqual(calls, []);
  bytes.emit("data", 2);
  bytes.emit("data", 2); // what was on its way
  assert.deepEqual(calls, ["pause"]);
  await endOne();
  assert.deepEqual(calls, ["pause", "resume"]);
  assert.deepEqual(turns, [32]);
});

Deno.test("sockets that rest go on one after the other", async () => {
  const { all, turns, endOne } = rests();
  const [a, b] = [socket({ rests: all }), socket({ rests: all })];
  for (const { bytes } of [a, b]) bytes.emit("data", 2);
  await endOne();
  assert.deepEqual([a.calls, b.calls], [["pause", "resume"], ["pause"]]);
  a.bytes.emit("data", 2);
  await endOne();
  assert.deepEqual(b.calls, ["pause", "resume"]);
  assert.deepEqual(a.calls, ["pause", "resume", "pause"]);
  assert.deepEqual(turns, [32, 32, 32]);
});

Deno.test("a socket that its connection holds stays paused after its rest", async () => {
  const { all, endOne } = rests();
  const { bytes, calls, reading } = socket({ rests: all });
  bytes.emit("data", 2);
  reading.pause();
  await endOne();
  assert.deepEqual(calls, ["pause"]);
  reading.resume();
  assert.deepEqual(calls, ["pause", "resume"]);
});

Deno.test("a socket that rests is not read because its connection has room again", async () => {
  const { all, endOne } = rests();
  const { bytes, calls, reading } = socket({ rests: all });
  reading.pause();
  bytes.emit("data", 2);
  reading.resume();
  assert.deepEqual(calls, ["pause"]);
  await endOne();
  assert.deepEqual(calls, ["pause", "resume"]);
});
