import assert from "node:assert/strict";
import { modelLayout } from "../../model/engine.ts";
import { INBOX } from "../../streaming/inbox.ts";
import { keptSessionBytes, streamBytes } from "../../streaming/sizing.ts";
import { fadingHead } from "../support/heads.ts";
import { tinyConfig } from "../support/models.ts";

const layout = modelLayout(tinyConfig);
const MINUTE = 4 * 60 * 16_000; // of float32 at 16 kHz
const STATE = 4 * layout.stateFloats;
const SCORE = 4 * (24 * 8 + 3 * 6); // 24 latents of 8, and a context of 6 for each of 3 steps
const OPUS = 256 * 1024 + 4 * 32_000; // a decoder, and 2 s of what it gave
const FIXED = 64 * 1024 + OPUS;

Deno.test("keptSessionBytes() is a minute of audio, a decoder, and a state every 2 s", () => {
  assert.equal(keptSessionBytes(layout), MINUTE + 31 * (STATE + SCORE) + FIXED);
});

Deno.test("keptSessionBytes() counts heads' checkpoints: new ones whole, or 1 MiB", () => {
  const withHead = (floats: number) => {
    const head = fadingHead({ every: 1, dims: 6 });
    const spec = { ...head.spec, state: [{ name: "ring", shape: [floats] }] };
    return keptSessionBytes(layout, [{ ...head, spec }]) - keptSessionBytes(layout);
  };
  assert.equal(withHead(100), 31 * 400);
  assert.equal(withHead(2 ** 20), 30 * 2 ** 20 + 2.5 * 2 ** 22);
});

Deno.test("streamBytes() adds the state, the waiting predictions, and what waits", () => {
  const limits = { backlogLimitS: 3, maxMessageBytes: 1_000, maxOutputBytes: 10_000 };
  const predictions = 4 * (3 + 2 + 1) * 8; // those 3, 2 and 1 frames ahead
  const backlog = 4 * 3 * 16_000;
  const waiting = INBOX.bytes + 1_000 + 20_000;
  assert.equal(
    streamBytes(layout, limits) - keptSessionBytes(layout),
    STATE + SCORE + predictions + backlog + waiting,
  );
});
