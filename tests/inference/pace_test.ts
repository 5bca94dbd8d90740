import assert from "node:assert/strict";
import fc from "fast-check";
import { Pace } from "../../inference/pace.ts";

/** A pace that has heard messages of `seconds` each, `intervalMs` apart, the last at 0. */
function heard(
  { seconds, intervalMs, messages }: { seconds: number; intervalMs: number; messages: number },
): Pace {
  const pace = new Pace();
  for (let i = 1 - messages; i <= 0; i++) pace.heard(seconds, i * intervalMs);
  return pace;
}

Deno.test("Pace: audio as it is spoken is punctual in any messages, faster is not", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 5, max: 250 }),
      fc.integer({ min: 1, max: 500 }),
      (ms, messages) => {
        assert.ok(heard({ seconds: ms / 1000, intervalMs: ms, messages }).punctual);
        if (messages * ms > 1500) {
          assert.ok(
            !heard({ seconds: ms / 1000, intervalMs: ms / 2, messages }).punctual,
          );
        }
      },
    ),
  );
});

Deno.test("Pace: who was held up or sent ahead is punctual again after a while", () => {
  for (const ahead of [0.8, 60]) {
    const pace = heard({ seconds: 0.02, intervalMs: 20, messages: 100 });
    pace.heard(ahead, 800);
    assert.equal(pace.punctual, false);
    for (let ms = 820; ms <= 4000; ms += 20) pace.heard(0.02, ms);
    assert.ok(pace.punctual);
  }
});

Deno.test("Pace: a microphone whose clock is a thousandth too fast stays punctual for days", () => {
  const pace = new Pace();
  for (let i = 0; i < 2 * 24 * 3600 * 4; i++) pace.heard(0.25025, i * 250);
  assert.ok(pace.punctual);
});

Deno.test("Pace: a punctual stream is speaking until it has been silent for a while", () => {
  assert.ok(!new Pace().isSpeaking(0));
  const pace = heard({ seconds: 0.02, intervalMs: 20, messages: 50 });
  assert.ok(pace.isSpeaking(300));
  assert.ok(!pace.isSpeaking(500));
  assert.ok(!heard({ seconds: 1, intervalMs: 1, messages: 50 }).isSpeaking(0));
});
