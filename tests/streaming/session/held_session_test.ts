import assert from "node:assert/strict";
import fc from "fast-check";
import type { Checkpoint, SavedHead } from "../../../inference/messages.ts";
import { assembled, type Piece, withChanges } from "../../../inference/snapshot.ts";
import { MODEL_SAMPLE_RATE } from "../../../model/architecture.ts";
import { HeldSession } from "../../../streaming/session/held_session.ts";
import { HISTORY_SECONDS } from "../../../streaming/session/history.ts";
import { unpack } from "../../../streaming/session/packing.ts";
import { identityOf, restoreSession } from "../../../streaming/session/portable.ts";
import { newToken, partsOf, unseal } from "../../../streaming/session/seal.ts";
import { CHECKPOINT_SECONDS, type Session } from "../../../streaming/session/session.ts";
import { layout, sessionOf } from "../../support/sessions.ts";
import { Shelf } from "../../support/shelf.ts";

const { hopSamples } = layout.plan;
const MOST_HEARD_SECONDS = 9;
/** A head's ring: rows for each checkpoint, and how many of them it holds. */
const RING = { each: 4, rows: 40, width: 64 } as const;
const RING_FLOATS = RING.rows * RING.width;
const RING_SECONDS = CHECKPOINT_SECONDS * RING.rows / RING.each;
/**
 * A store may keep two states more than the minute asks for, what their rings hold, and the audio
 * of a long message.
 */
const STORED_SECONDS = HISTORY_SECONDS + RING_SECONDS + 2 * 4 + CHECKPOINT_SECONDS +
  MOST_HEARD_SECONDS;

const PERIOD = 32_749;
const SAWTOOTH = Int16Array.from(
  { length: PERIOD + MOST_HEARD_SECONDS * MODEL_SAMPLE_RATE },
  (_, i) => i % PERIOD,
);

/** What another server would go on with. */
function take(shelf: Shelf, token: string) {
  const parts = partsOf(token)!;
  const { from, tokens, records: sealed } = shelf.sessions.get(parts.id)!;
  const dataKey = unseal(parts.key, parts.id, tokens.get(parts.hash)!);
  const known = new Map<number, Piece>();
  const records = Array.from(
    sealed,
    ([seq, one]) => unpack(unseal(dataKey, HeldSession.nameOfRecord(parts.id, seq), one), known),
  );
  const identity = identityOf(records)!;
  const session = restoreSession(records, { identity, layout, openedAtMs: 0 });
  return { parts, dataKey, records, identity, session, from, tokens: new Map(tokens) };
}

/** Hears some audio, of which no second is like another, and takes its checkpoints. */
function hear(session: Session, seconds: number): void {
  const first = session.samples;
  const from = first % PERIOD;
  const samples = SAWTOOTH.subarray(from, from + Math.round(seconds * MODEL_SAMPLE_RATE));
  session.hear(new Uint8Array(samples.slice().buffer));
  const every = CHECKPOINT_SECONDS * MODEL_SAMPLE_RATE;
  for (let at = every * Math.ceil((first + 1) / every); at <= session.samples; at += every) {
    const state = new Float32Array(layout.stateFloats).fill(at);
    session.history.add({
      hopsTaken: at / hopSamples,
      state,
      heads: [appended(session, at / every)],
    });
  }
}

/** A head at the n-th checkpoint: the one before, and some rows more. */
function appended(session: Session, n: number): SavedHead {
  const former = session.history.checkpoints.at(-1)?.heads?.[0].state ?? [];
  const first = (n - 1) * RING.each % RING.rows * RING.width;
  const values = new Float32Array(RING.each * RING.width).fill(n);
  const changed = { runs: Uint32Array.of(first, first + values.length), values };
  const events: SavedHead["events"] = [];
  const state = withChanges(former, changed);
  return { head: "ring", row: n, filled: 0, features: new Float32Array(), events, state };
}

/** The numbers of a checkpoint's ring: of each row, the checkpoint that it is from. */
const ringOf = ({ heads }: Checkpoint) =>
  heads && assembled(heads[0].state, RING_FLOATS).filter((_, i) => i % RING.width === 0);

/** Asserts that a stored session is the one that lives, and that a resume finds what it needs. */
function assertStored(stored: Session, session: Session, sinceAnewSamples: number): void {
  assert.deepEqual(stored.position, session.position);
  assert.deepEqual(stored.config, session.config);
  for (const { fromFrame } of session.selections) {
    assert.deepEqual(stored.configAt(fromFrame), session.configAt(fromFrame));
  }
  assert.deepEqual([stored.id, stored.owner], [session.id, session.owner]);
  const { history } = stored;
  assert.equal(history.endSample, session.history.endSample);
  const [oldest] = history.checkpoints;
  const from = history.sampleOf(oldest!);
  const needed = session.history.endSample - HISTORY_SECONDS * MODEL_SAMPLE_RATE;
  assert.ok(from <= Math.max(needed, sinceAnewSamples), `the oldest state is from ${from}`);
  const audio = history.audioSince(oldest!);
  for (let i = 0; i < audio.length; i += 97) {
    assert.equal(audio[i]! * 32_768, (from + i) % PERIOD, `sample ${from + i}`);
  }
  for (const checkpoint of history.checkpoints) {
    const { hopsTaken, state } = checkpoint;
    const own = session.history.checkpoints.find((one) => one.hopsTaken === hopsTaken);
    if (!own) continue; // the store keeps two more
    assert.deepEqual(own.state, state);
    assert.deepEqual(ringOf(own), ringOf(checkpoint));
  }
}

const step = fc.oneof(
  { arbitrary: fc.double({ min: 1e-4, max: MOST_HEARD_SECONDS, noNaN: true }), weight: 4 },
  fc.constantFrom("select" as const, "reset" as const, "anew" as const, "resume" as const),
);

Deno.test("HeldSession.put() leaves in the store what a resume needs, no more", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const token = newToken();
      const shelf = new Shelf();
      let session = sessionOf();
      let held = HeldSession.begin(session, {
        parts: partsOf(token)!,
        openedAtMs: 0,
        fingerprint: "f",
      });
      let [anewSamples, epoch] = [0, 1];
      for (const one of [...steps, "resume"]) {
        if (typeof one === "number") hear(session, one);
        else if (one === "select") {
          session.select(
            { output: ["latent"], steps: [1], every: 1 + session.frames % 3 },
            session.frames,
          );
        } else if (one === "reset") {
          session.reset();
          held.beginAnew();
          anewSamples = 0;
        } else if (one === "anew") {
          held.beginAnew();
          anewSamples = Math.max(0, session.history.endSample - 15 * MODEL_SAMPLE_RATE);
        } else if (shelf.sessions.size > 0) {
          const { session: next, ...taken } = take(shelf, token);
          assertStored(next, session, anewSamples);
          const samples = taken.records.reduce((sum, { audio }) => sum + audio.length, 0);
          assert.ok(samples <= STORED_SECONDS * MODEL_SAMPLE_RATE, `${samples} samples`);
          session = next;
          held = HeldSession.resume(session, { ...taken, epoch: ++epoch });
          const { tokens, record } = held.put(1000);
          assert.deepEqual([tokens, record], [undefined, undefined]);
        }
        await shelf.put([held.put(1000)]);
        assert.equal(shelf.puts.at(-1)?.epoch, epoch);
        assert.equal(held.hasNews, false);
      }
    }),
    { numRuns: 8, seed: 1 },
  );
});

Deno.test("HeldSession.put() stores states 4 s apart, the last 15 s if anew", async () => {
  const token = newToken();
  const shelf = new Shelf();
  const session = sessionOf();
  const held = HeldSession.begin(session, {
    parts: partsOf(token)!,
    openedAtMs: 0,
    fingerprint: "f",
  });
  for (let second = 0; second < 60; second++) {
    hear(session, 1);
    await shelf.put([held.put(1000)]);
  }
  const seconds = () =>
    take(shelf, token).session.history.checkpoints.map((one) =>
      Math.round(session.history.sampleOf(one) / MODEL_SAMPLE_RATE)
    );
  assert.deepEqual(seconds(), [0, 6, 10, 14, 18, 22, 26, 30, 34, 38, 42, 46, 50, 54, 58]);
  held.beginAnew();
  await shelf.put([held.put(1000)]);
  assert.deepEqual(seconds(), [44, 46, 48, 50, 52, 54, 56, 58, 60]);
});

Deno.test("HeldSession.put() forgets what was before a resume, a minute later", async () => {
  const token = newToken();
  const shelf = new Shelf();
  let session = sessionOf();
  let held = HeldSession.begin(session, {
    parts: partsOf(token)!,
    openedAtMs: 0,
    fingerprint: "f",
  });
  const hearAll = async (seconds: number) => {
    for (let heard = 0; heard < seconds; heard += 4) {
      hear(session, 4);
      await shelf.put([held.put(1000)]);
    }
    const samples = take(shelf, token).records.reduce((sum, { audio }) => sum + audio.length, 0);
    return samples / MODEL_SAMPLE_RATE;
  };
  const seconds = await hearAll(80);
  const most = HISTORY_SECONDS + RING_SECONDS;
  assert.ok(seconds >= most - 12 && seconds <= most + 12, `${seconds} s`);
  const { session: next, ...taken } = take(shelf, token);
  session = next;
  held = HeldSession.resume(session, { ...taken, epoch: 2 });
  assert.equal(await hearAll(40), seconds);
});

Deno.test("HeldSession.put() names its tokens when they change, and when it begins anew", () => {
  const parts = partsOf(newToken())!;
  const session = sessionOf();
  const held = HeldSession.begin(session, { parts, openedAtMs: 0, fingerprint: "f" });
  const put = () => {
    const { tokens, record, replace, ttlMs } = held.put(-5);
    assert.equal(ttlMs, 1);
    return [tokens && [...tokens.keys()], record?.seq, replace];
  };
  assert.deepEqual(put(), [[parts.hash], 0, true]);
  assert.deepEqual(put(), [undefined, undefined, undefined]);
  held.forgetFormerToken();
  assert.deepEqual(put(), [[parts.hash], undefined, undefined]);
  assert.deepEqual(put(), [undefined, undefined, undefined]);
  hear(session, 0.1);
  assert.deepEqual(put(), [undefined, 1, undefined]);
  held.beginAnew();
  assert.deepEqual(put(), [[parts.hash], 2, true]);
});

Deno.test("HeldSession.put() writes a ring's new rows, and the rest once a minute", async () => {
  const token = newToken();
  const shelf = new Shelf();
  const session = sessionOf();
  const parts = partsOf(token)!;
  let held = HeldSession.begin(session, { parts, openedAtMs: 0, fingerprint: "f" });
  const still = { runs: Uint32Array.of(RING_FLOATS, RING_FLOATS + 1), values: Float32Array.of(9) };
  /** Of heads' states, in the newest record. */
  const numbersIn = () => {
    const { records, tokens } = shelf.sessions.get(parts.id)!;
    const dataKey = unseal(parts.key, parts.id, tokens.get(parts.hash)!);
    const [seq, sealed] = [...records].at(-1)!;
    const { pieces } = unpack(unseal(dataKey, HeldSession.nameOfRecord(parts.id, seq), sealed));
    return pieces.values().reduce((sum, { values }) => sum + values.length, 0);
  };
  const recordedStill: number[] = [];
  for (let second = 0; second < 200; second++) {
    hear(session, 1);
    const newest = session.history.checkpoints.at(-1)!;
    const [head] = newest.heads ?? [];
    if (head && !head.state.includes(still)) {
      Object.assign(newest, { heads: [{ ...head, state: [still, ...head.state] }] });
    }
    await shelf.put([held.put(1000)]);
    const numbers = numbersIn();
    const each = RING.each * RING.width;
    assert.ok(
      [0, 1].includes(numbers % each) && numbers <= 3 * each + 1,
      `${numbers} at ${second}`,
    );
    if (numbers % each === 1) recordedStill.push(second);
    if (second % 20 !== 0) continue;
    const { session: stored, records } = take(shelf, token);
    for (const checkpoint of stored.history.checkpoints.slice(1)) {
      assert.equal(assembled(checkpoint.heads![0].state, RING_FLOATS + 1).at(-1), 9);
    }
    assert.ok(records.length <= 2 * HISTORY_SECONDS + 12, `${records.length} records`);
  }
  assert.ok(recordedStill.length >= 3 && recordedStill.length <= 4, recordedStill.join());
  const { session: next, ...taken } = take(shelf, token);
  held = HeldSession.resume(next, { ...taken, epoch: 2 });
  for (let second = 0; second < 6; second++) {
    hear(next, 1);
    await shelf.put([held.put(1000)]);
    assert.ok(numbersIn() <= 3 * RING.each * RING.width, "what the store has is not written again");
  }
});
