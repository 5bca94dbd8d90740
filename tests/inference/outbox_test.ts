import assert from "node:assert/strict";
import { listen } from "../../inference/listen.ts";
import type { ToWorker } from "../../inference/messages.ts";
import { Outbox } from "../../inference/outbox.ts";

Deno.test("Outbox.add() posts together what comes together, and counts before it posts", async () => {
  const posts: { messages: readonly ToWorker[]; posted: number }[] = [];
  const outbox = new Outbox({
    postMessage(messages: readonly ToWorker[]) {
      posts.push({ messages, posted: Atomics.load(outbox.posted, 0) });
    },
  });
  const ping: ToWorker = { type: "ping" };
  const close: ToWorker = { type: "close" };
  outbox.add(ping, []);
  outbox.add(close, []);
  await listen(3);
  assert.deepEqual(posts, [{ messages: [ping, close], posted: 1 }]);
  outbox.add(ping, []);
  await listen(3);
  assert.deepEqual(posts[1], { messages: [ping], posted: 2 });
  outbox.add(ping, []);
  outbox.close();
  await listen(3);
  assert.equal(posts.length, 2, "nothing once it is closed");
});
