import assert from "node:assert/strict";
import { Inbox } from "../../streaming/inbox.ts";

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
