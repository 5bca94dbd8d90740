import assert from "node:assert/strict";
import fc from "fast-check";
import { Outbox } from "../../client/outbox.ts";
import type { ServerMessage } from "../../client/protocol.ts";
import { StreamError } from "../../client/stream_error.ts";

/** Sends what may be sent; audio as bytes, requests as their type. */
function sendAll(outbox: Outbox): (number | string)[] {
  const sent: (number | string)[] = [];
  for (let item = outbox.next; item; item = outbox.next) {
    outbox.advance();
    if ("audio" in item) sent.push(...item.audio);
    else sent.push(item.message.type);
  }
  return sent;
}

/** The answer that has a type. */
const read = (type: ServerMessage["type"]) => (message: ServerMessage) =>
  message.type === type ? message : undefined;
const marked = { type: "marked", id: null, samples: 1, frames: 0 } as const;

Deno.test("Outbox.rewind() sends again, of any chunks, exactly the bytes from there on", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(sizes, fc.nat(12), fc.nat(100), fc.nat(100), (sizes, sentCount, a, b) => {
      const outbox = new Outbox();
      const all = Array.from({ length: sizes.reduce((sum, n) => sum + n, 0) }, (_, i) => i);
      let at = 0;
      for (const size of sizes) outbox.addAudio(Uint8Array.from(all.slice(at, at += size)));
      for (let n = 0; n < sentCount && outbox.next; n++) outbox.advance();
      const [released, from] = [a, b].map((x) => x % (outbox.sentBytes + 1)).sort((x, y) => x - y);
      assert.ok(released !== undefined && from !== undefined);
      outbox.release(released);
      assert.ok(outbox.rewind(from));
      assert.equal(outbox.unsentBytes, all.length - from);
      assert.deepEqual(sendAll(outbox), all.slice(from));
    }),
  );
});

Deno.test("Outbox.rewind() says when audio is gone", () => {
  const outbox = new Outbox();
  for (const x of [1, 2, 3]) outbox.addAudio(Uint8Array.of(x));
  sendAll(outbox);
  outbox.release(2);
  assert.equal(outbox.rewind(1), false);
  assert.equal(outbox.rewind(2), true);
});

Deno.test("Outbox: nothing passes a barrier; what has no answer is sent again", async () => {
  const outbox = new Outbox();
  outbox.addAudio(Uint8Array.of(1));
  const mark = outbox.ask({ type: "mark" }, { read: read("marked") });
  const update = outbox.ask({ type: "update", every: 2 }, {
    isBarrier: true,
    read: read("updated"),
  });
  outbox.addAudio(Uint8Array.of(2));
  assert.deepEqual(sendAll(outbox), [1, "mark", "update"]);
  assert.ok(outbox.isAnswerOwed);
  outbox.answer(marked);
  assert.equal(await mark, marked);
  assert.ok(outbox.rewind(0));
  assert.deepEqual(sendAll(outbox), [1, "update"]);
  const updated = { type: "updated", output: ["context"], steps: [], every: 2 } as const;
  outbox.answer({ ...updated, output: [...updated.output], steps: [] });
  assert.equal((await update).type, "updated");
  assert.deepEqual(sendAll(outbox), [2]);
  assert.equal(outbox.isAnswerOwed, false);
});

Deno.test("Outbox.beginSegment() answers what is open, and counts audio anew", async () => {
  const outbox = new Outbox();
  outbox.addAudio(Uint8Array.of(1, 2));
  const mark = outbox.ask({ type: "mark" }, { read: read("marked") });
  const reset = outbox.ask({ type: "reset" }, { isBarrier: true, read: read("reset") });
  outbox.addAudio(Uint8Array.of(3));
  assert.deepEqual(sendAll(outbox), [1, 2, "mark", "reset"]);
  assert.ok(outbox.isResetPending);
  outbox.beginSegment(1);
  assert.deepEqual(await mark, { type: "marked", id: null, samples: 0, frames: 0 });
  assert.deepEqual(await reset, { type: "reset", segment: 1 });
  assert.ok(outbox.rewind(0));
  assert.deepEqual(sendAll(outbox), [3]);
  assert.deepEqual([outbox.sentBytes, outbox.unsentBytes], [1, 0]);
});

Deno.test("Outbox.clear() tells whoever waits", async () => {
  const outbox = new Outbox();
  const mark = outbox.ask({ type: "mark" }, { read: read("marked") });
  outbox.clear(new StreamError("closed", "the stream is closed"));
  await assert.rejects(mark, { code: "closed" });
  assert.equal(outbox.next, undefined);
});
