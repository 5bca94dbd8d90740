import assert from "node:assert/strict";
import type { State } from "../../client/events.ts";
import { canResume, resume } from "../../client/resume.ts";
import { StreamError } from "../../client/stream_error.ts";

const LOST = new StreamError("connection_lost", "cut", { retryable: true });
const refuses = (error: StreamError) => () => Promise.reject(error);

Deno.test("canResume() is true of what is retryable and not over for good", () => {
  assert.ok(canResume(LOST));
  assert.ok(!canResume(new StreamError("model_failed", "x")));
  assert.ok(!canResume(new StreamError("idle_timeout", "x", { retryable: true })));
});

Deno.test("resume() gives up when the next try is too late, or the wait too long", async () => {
  const slow = new StreamError("draining", "x", { retryable: true, retryAfterMs: 90_000 });
  for (const { error, forMs } of [{ error: LOST, forMs: 0 }, { error: slow, forMs: 60_000 }]) {
    const told: State[] = [];
    const giving = resume(error, {
      forMs,
      received: 3,
      dial: () => assert.fail("dialled"),
      isResetPending: () => false,
      tells: (state) => told.push(state),
      signal: new AbortController().signal,
    });
    await assert.rejects(giving, (thrown) => thrown === error);
    assert.equal(told.length, 1);
    assert.ok(told[0] && told[0].retryInMs >= (error.retryAfterMs ?? 125));
  }
});

Deno.test("resume() asks for frame 0 once after a reset; other refusals are final", async () => {
  const refused = new StreamError("invalid_option", "x", { param: "received" });
  for (const isReset of [true, false]) {
    const asked: number[] = [];
    const resuming = resume(LOST, {
      forMs: 60_000,
      received: 7,
      dial: (received) => {
        asked.push(received);
        return refuses(refused)();
      },
      isResetPending: () => isReset,
      tells: () => {},
      signal: new AbortController().signal,
    });
    await assert.rejects(resuming, (thrown) => thrown === refused);
    assert.deepEqual(asked, isReset ? [7, 0] : [7]);
  }
});

Deno.test("resume() ends without a try when its signal says so", async () => {
  const controller = new AbortController();
  await resume(LOST, {
    forMs: 60_000,
    received: 0,
    dial: () => assert.fail("dialled"),
    isResetPending: () => false,
    tells: () => controller.abort(),
    signal: controller.signal,
  });
  assert.ok(controller.signal.aborted);
});
