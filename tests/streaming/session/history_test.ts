import assert from "node:assert/strict";
import { modelLayout } from "../../../model/engine.ts";
import { History, HISTORY_SECONDS } from "../../../streaming/session/history.ts";
import { CHECKPOINT_SECONDS } from "../../../streaming/session/session.ts";
import { tinyConfig } from "../../support/models.ts";
import { random } from "../../support/stream.ts";

Deno.test("History gives back the very samples, of 16 bits or finer", () => {
  for (const scale of [32768, 32768 * 3]) {
    const history = new History(modelLayout(tinyConfig));
    const samples = Float32Array.from({ length: 70_000 }, (_, i) => (i % 65_536 - 32_768) / scale);
    history.append(samples);
    assert.deepEqual(history.audioSince(history.before(0)!), samples);
  }
});

Deno.test("History: memory is bounded for any messages, and reaches back as far as told", () => {
  const layout = modelLayout(tinyConfig);
  const history = new History(layout);
  const { hopSamples, leadSamples } = layout.plan;
  const checkpointHops = CHECKPOINT_SECONDS * 100;
  const next = random(1);
  let hops = 0;
  let value = 0;
  while (history.endSample < (HISTORY_SECONDS + 20) * 16_000) {
    history.append(Float32Array.from({ length: 1 + Math.floor(next() * 500) }, () => value++));
    const taken = Math.floor((history.endSample + leadSamples) / hopSamples);
    if (taken >= hops + checkpointHops) {
      history.add({ hopsTaken: hops = taken, state: new Float32Array(layout.stateFloats) });
    }
  }
  const newest = Math.floor(history.endSample / hopSamples);
  assert.ok(newest - history.firstFrame >= HISTORY_SECONDS * 100);
  assert.ok(newest - history.firstFrame <= (HISTORY_SECONDS + 3 * CHECKPOINT_SECONDS) * 100);
  assert.equal(history.before(history.firstFrame - 1), undefined);
  const from = history.before(history.firstFrame + 777)!;
  const audio = history.audioSince(from);
  const start = from.hopsTaken * hopSamples - leadSamples;
  assert.deepEqual(
    audio,
    Float32Array.from({ length: history.endSample - start }, (_, i) => start + i),
  );
  history.add({ hopsTaken: newest + 100, state: new Float32Array(layout.stateFloats) });
  assert.notEqual(
    history.before(newest + 200)?.hopsTaken,
    newest + 100,
    "a state beyond the audio is not kept",
  );
  history.clear();
  assert.deepEqual([
    history.endSample,
    history.firstFrame,
    history.audioSince(history.before(0)!).length,
  ], [0, 0, 0]);
});

Deno.test("History: what was read stays as it is when dropped blocks are filled again", () => {
  const layout = modelLayout(tinyConfig);
  const { hopSamples, leadSamples } = layout.plan;
  const history = new History(layout);
  const hear = (seconds: number, value: number) => {
    for (let second = 0; second < seconds; second++) {
      history.append(new Float32Array(16_000).fill(value / 32768));
      const hopsTaken = Math.floor((history.endSample + leadSamples) / hopSamples);
      history.add({ hopsTaken, state: new Float32Array(layout.stateFloats) });
    }
  };
  hear(HISTORY_SECONDS, 1);
  const early = history.audioFrom(0);
  const compact = history.compactAudioFrom(0);
  hear(2 * HISTORY_SECONDS, 2);
  assert.ok(early.every((x) => x === 1 / 32768), "floats are a copy");
  assert.ok(compact.every((x) => x === 1), "integers are a copy");
  const late = history.audioFrom(history.sampleOf(history.before(history.firstFrame)!));
  assert.ok(late.length >= HISTORY_SECONDS * 16_000);
  assert.ok(late.every((x) => x === 2 / 32768), "no block holds anything older");
});
