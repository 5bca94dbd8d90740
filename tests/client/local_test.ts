import assert from "node:assert/strict";
import { connect } from "../../client/mod.ts";
import { Outbox } from "../../client/outbox.ts";

Deno.test("connect({ model }) says where models are computed, if it is nowhere", async () => {
  await assert.rejects(connect({ model: "/weights/cpc-small/" }), {
    name: "StreamError",
    code: "unsupported",
    message: /in browsers alone/,
  });
});

Deno.test("Outbox.startAt() counts audio from where the stream continues", () => {
  const outbox = new Outbox();
  outbox.startAt(1000);
  assert.equal(outbox.unsentBytes, 0);
  outbox.addAudio(new Uint8Array(10));
  assert.equal(outbox.unsentBytes, 10);
  outbox.advance();
  assert.equal(outbox.sentBytes, 1010);
  outbox.release(1000);
  assert.equal(outbox.rewind(1004), true);
  assert.deepEqual(outbox.next, { audio: new Uint8Array(6), startByte: 1004 });
});
