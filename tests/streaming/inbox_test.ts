import assert from "node:assert/strict";
import { Inbox } from "../../streaming/inbox.ts";
import { SlowReader } from "../../streaming/slow_reader.ts";

function inbox() {
  const said: string[] = [];
  return {
    said,
    inbox: new Inbox({ pause: () => said.push("pause"), resume: () => said.push("resume") }),
  };
}

Deno.test("Inbox pauses its source while too many messages wait, or too many bytes", () => {
  for (const [message, most] of [["{}", 256], [new Uint8Array(64 * 1024), 4]] as const) {
    const { said, inbox: box } = inbox();
    for (let i = 0; i < most; i++) box.push(message);
    assert.deepEqual([said, box.paused], [[], false]);
    box.push(message);
    box.push(message);
    assert.deepEqual([said, box.paused], [["pause"], true]);
    assert.equal(box.shift(), message);
    assert.equal(box.paused, true);
    box.shift();
    assert.deepEqual([said, box.length], [["pause", "resume"], most]);
  }
});

Deno.test("Inbox.hold() pauses an empty inbox; clear() forgets what waits and lets the source be read", () => {
  const { said, inbox: box } = inbox();
  box.hold(true);
  box.push("{}");
  box.clear();
  assert.deepEqual([said, box.length, box.shift()], [["pause", "resume"], 0, undefined]);
});

Deno.test("SlowReader.look() warns once per blockade, and ends one that lasts", () => {
  const reader = new SlowReader();
  const look = (seconds: number, blocked: boolean) =>
    reader.look({ blocked, nowMs: 1000 * seconds, warnAfterS: 5, endAfterS: 30 });
  const seen = [
    [0, true],
    [4, true],
    [5, true],
    [29, true],
    [29.5, false],
    [30, true],
    [36, true],
    [59, true],
    [
      60,
      true,
    ],
  ] as const;
  assert.deepEqual(seen.map(([seconds, blocked]) => look(seconds, blocked)), [
    "fine",
    "fine",
    "warn",
    "fine",
    "fine",
    "fine",
    "warn",
    "fine",
    "end",
  ]);
});
