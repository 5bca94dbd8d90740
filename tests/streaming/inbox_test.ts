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
    assert.equal(box.take({ messages: 9, bytes: 0 }), message);
    assert.equal(box.paused, true);
    box.take({ messages: 9, bytes: 0 });
    assert.deepEqual([said, box.length], [["pause", "resume"], most]);
  }
});

Deno.test("Inbox.hold() pauses an empty inbox; clear() forgets and reads on", () => {
  const { said, inbox: box } = inbox();
  box.hold(true);
  box.push("{}");
  box.clear();
  assert.deepEqual([said, box.length, box.take({ messages: 9, bytes: 0 })], [
    ["pause", "resume"],
    0,
    undefined,
  ]);
});

Deno.test("Inbox.take() joins audio of many messages in order, never across a text", () => {
  const { inbox: box } = inbox();
  for (let i = 0; i < 5; i++) box.push(Uint8Array.of(i));
  box.push("{}");
  box.push(Uint8Array.of(5));
  box.push(new Uint8Array(10));
  assert.deepEqual(box.take({ messages: 9, bytes: 3 }), Uint8Array.of(0, 1, 2));
  assert.deepEqual(box.take({ messages: 9, bytes: 3 }), Uint8Array.of(3, 4));
  assert.equal(box.take({ messages: 9, bytes: 3 }), "{}");
  assert.deepEqual(box.take({ messages: 9, bytes: 3 }), Uint8Array.of(5));
  assert.equal(box.take({ messages: 9, bytes: 3 })?.length, 10, "a longer message is taken whole");
  assert.deepEqual([box.take({ messages: 9, bytes: 3 }), box.length], [undefined, 0]);
});

Deno.test("Inbox.take() joins no more messages than it is told, empty ones included", () => {
  const { inbox: box } = inbox();
  for (let i = 0; i < 10; i++) box.push(new Uint8Array(0));
  box.take({ messages: 4, bytes: 100 });
  assert.equal(box.length, 6);
});

Deno.test("Inbox.take() keeps the order of thousands of messages", () => {
  const { inbox: box, said } = inbox();
  for (let i = 0; i < 5_000; i++) box.push(String(i));
  for (let i = 0; i < 5_000; i++) assert.equal(box.take({ messages: 9, bytes: 1 }), String(i));
  assert.deepEqual([box.length, said], [0, ["pause", "resume"]]);
});
