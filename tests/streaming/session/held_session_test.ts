import assert from "node:assert/strict";
import fc from "fast-check";
import type { Checkpoint, SavedHead } from "../../../inference/messages.ts";
import { assembled, withChanges } from "../../../inference/snapshot.ts";
import { MODEL_SAMPLE_RATE } from "../../../model/architecture.ts";
import { HeldSession } from "../../../streaming/session/held_session.ts";
import { HISTORY_SECONDS } from "../../../streaming/session/history.ts";
import { unpack } from "../../../streaming/session/packing.ts";
import { openStored } from "../../../streaming/session/stored_session.ts";
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

/** What another server would go on with, for a client that has so many frames. */
async function take(shelf: Shelf, token: string, received = 0) {
  const parts = partsOf(token)!;
  const stored = (await shelf.read(parts.id, parts.hash))!;
  const opened = (await openStored(stored, {
    parts,
    received,
    owner: "anna",
    model: () => ({ layout, fingerprint: "f" }),
    nowMs: 0,
  }))!;
  const tokens = new Map([[parts.hash, stored.wrappedKey]]);
  return { ...opened, parts, tokens, from: stored.from };
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

/** Asserts that opening a part of a session gives what a client that has some frames needs. */
function assertPart(part: Session, whole: Session, received: number): void {
  const [from, all] = [part.history.before(received), whole.history.before(received)];
  assert.ok(from && all, "the history reaches back so far");
  const at = whole.history.sampleOf(all);
  assert.deepEqual([part.history.sampleOf(from), from.state], [at, all.state]);
  assert.deepEqual(ringOf(from), ringOf(all));
  assert.deepEqual(part.history.audioSince(from), whole.history.audioSince(all));
  assert.deepEqual([part.position, part.frames], [whole.position, whole.frames]);
  assert.deepEqual(part.configAt(received), whole.configAt(received));
}

const step = fc.oneof(
  { arbitrary: fc.double({ min: 1e-4, max: MOST_HEARD_SECONDS, noNaN: true }), weight: 4 },
  fc.constantFrom("select" as const, "reset" as const, "anew" as const),
  fc.record({ resumeAt: fc.double({ min: 0, max: 1, noNaN: true }) }), // a share of its frames
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
      for (const one of [...steps, { resumeAt: 0.9 }]) {
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
          const { endSample, checkpoints: [oldest] } = session.history;
          const sample = endSample - 15 * MODEL_SAMPLE_RATE;
          anewSamples = Math.max(session.history.sampleOf(oldest!), sample); // all that it has
        } else if (typeof one === "object" && shelf.sessions.size > 0) {
          const { session: whole, records } = await take(shelf, token);
          assertStored(whole, session, anewSamples);
          const samples = records.reduce((sum, { audio }) => sum + audio.length, 0);
          assert.ok(samples <= STORED_SECONDS * MODEL_SAMPLE_RATE, `${samples} samples`);
          const received = whole.firstFrame +
            Math.floor(one.resumeAt * (whole.frames - whole.firstFrame));
          const { session: next, ...taken } = await take(shelf, token, received);
          assertPart(next, whole, received);
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
  const seconds = async () =>
    (await take(shelf, token)).session.history.checkpoints.map((one) =>
      Math.round(session.history.sampleOf(one) / MODEL_SAMPLE_RATE)
    );
  assert.deepEqual(await seconds(), [0, 6, 10, 14, 18, 22, 26, 30, 34, 38, 42, 46, 50, 54, 58]);
  held.beginAnew();
  await shelf.put([held.put(1000)]);
  assert.deepEqual(await seconds(), [44, 46, 48, 50, 52, 54, 56, 58, 60]);
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
    const { records } = await take(shelf, token);
    const samples = records.reduce((sum, { audio }) => sum + audio.length, 0);
    return samples / MODEL_SAMPLE_RATE;
  };
  const seconds = await hearAll(80);
  const most = HISTORY_SECONDS + RING_SECONDS;
  assert.ok(seconds >= most - 12 && seconds <= most + 12, `${seconds} s`);
  const { session: next, ...taken } = await take(shelf, token, session.frames);
  session = next;
  held = HeldSession.resume(session, { ...taken, epoch: 2 });
  assert.equal(await hearAll(40), seconds);
});

Deno.test("openStored() opens no more than a resume needs, and keeps what is older", async () => {
  const token = newToken();
  const shelf = new Shelf();
  const session = sessionOf();
  const parts = partsOf(token)!;
  let held = HeldSession.begin(session, { parts, openedAtMs: 0, fingerprint: "f" });
  for (let heard = 0; heard < 600; heard++) {
    hear(session, 0.1);
    await shelf.put([held.put(1000)]);
  }
  const { session: whole } = await take(shelf, token);
  const { frames } = whole;
  const late = await take(shelf, token, frames);
  assert.equal(late.stored.records.length, 600);
  const most = 10 * (RING_SECONDS + 4 + CHECKPOINT_SECONDS);
  assert.ok(late.records.length <= most, `${late.records.length} records`);
  assertPart(late.session, whole, frames);
  held = HeldSession.resume(late.session, { ...late, epoch: 2 });
  hear(late.session, 1);
  await shelf.put([held.put(1000)]);
  const early = await take(shelf, token, 0);
  assert.equal(early.session.firstFrame, 0);
  assert.equal(early.session.samples, session.samples + MODEL_SAMPLE_RATE);
});

Deno.test("HeldSession.put() names its tokens when they change, and when it begins anew", () => {
  const parts = partsOf(newToken())!;
  const session = sessionOf();
  const held = HeldSession.begin(session, { parts, openedAtMs: 0, fingerprint: "f" });
  const put = () => {
    const { tokens, record, replace, from, ttlMs } = held.put(-5);
    assert.equal(ttlMs, 1);
    if (replace) assert.equal(from, record?.seq, "nothing older is left");
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

Deno.test("HeldSession.put() writes a session anew once changes without audio add up", async () => {
  const token = newToken();
  const shelf = new Shelf();
  const parts = partsOf(token)!;
  let session = sessionOf();
  let held = HeldSession.begin(session, { parts, openedAtMs: 0, fingerprint: "f" });
  let epoch = 1;
  const voice = new Float32Array(16_384);
  for (let change = 0; change < 120; change++) {
    if (change % 40 === 0) hear(session, 1);
    session.select({ output: ["latent"], steps: [1], every: 1 + change, voice }, session.frames);
    await shelf.put([held.put(1000)]);
    const { records } = shelf.sessions.get(parts.id)!;
    const bytes = records.values().reduce((sum, { length }) => sum + length, 0);
    assert.ok(bytes < 2 * 1024 * 1024, `${bytes} bytes after ${change} changes`);
    if (change % 9 > 0) continue; // a client that resumes all the time begins no new count
    const { session: next, ...taken } = await take(shelf, token, session.frames);
    session = next;
    held = HeldSession.resume(session, { ...taken, epoch: ++epoch });
  }
  const { session: stored } = await take(shelf, token, session.frames);
  assertStored(stored, session, session.history.endSample);
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
    const { session: stored, records } = await take(shelf, token);
    for (const checkpoint of stored.history.checkpoints.slice(1)) {
      assert.equal(assembled(checkpoint.heads![0].state, RING_FLOATS + 1).at(-1), 9);
    }
    assert.ok(records.length <= 2 * HISTORY_SECONDS + 12, `${records.length} records`);
  }
  assert.ok(recordedStill.length >= 3 && recordedStill.length <= 4, recordedStill.join());
  const { session: next, ...taken } = await take(shelf, token);
  held = HeldSession.resume(next, { ...taken, epoch: 2 });
  for (let second = 0; second < 6; second++) {
    hear(next, 1);
    await shelf.put([held.put(1000)]);
    assert.ok(numbersIn() <= 3 * RING.each * RING.width, "what the store has is not written again");
  }
});
