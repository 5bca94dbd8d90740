import assert from "node:assert/strict";
import v8 from "node:v8";
import { assembled, type Piece } from "../../../inference/snapshot.ts";
import { pack, type SessionRecord, unpack } from "../../../streaming/session/packing.ts";
import { follow, record, restoreSession } from "../../../streaming/session/portable.ts";
import { layout, sessionOf } from "../../support/sessions.ts";

const LATENT = { output: ["latent"] as const, steps: [1], every: 1 };

/** A session that heard something, its first record, and its identity. */
function recorded() {
  const session = sessionOf();
  session.hear(new Uint8Array(2_001)); // half a sample waits
  const identityNow = () => {
    const { id, owner, config, selections: [first, ...later] } = session;
    return {
      id,
      owner,
      config,
      selections: [first, ...later] as typeof session.selections,
      openedAtMs: 0,
      fingerprint: "f",
    };
  };
  const since = (start: number, changed = false): SessionRecord =>
    unpack(pack(record(session, {
      start,
      checkpoints: start === 0 ? session.history.checkpoints : [],
      ...(changed && { identity: identityNow() }),
    })));
  return { session, since, first: since(0, true), identity: identityNow() };
}

Deno.test("restoreSession() gives the session back, or none with a gap", () => {
  const { session, since, first, identity } = recorded();
  session.hear(new Uint8Array(2_001));
  const second = since(1_000);
  const options = { identity, layout, openedAtMs: 7 };
  const restored = restoreSession([first, second], options);
  assert.deepEqual(restored.position, session.position);
  assert.deepEqual([restored.history.endSample, restored.openedAtMs], [2_001, 7]);
  assert.throws(() => restoreSession([], options), /no beginning/);
  assert.throws(() => restoreSession([second], options), /no beginning/);
  session.hear(new Uint8Array(2_000));
  assert.throws(() => restoreSession([first, since(2_001)], options), /gap/);
});

Deno.test("restoreSession() takes no state of another size", () => {
  const { since, identity } = recorded();
  const options = { identity, layout, openedAtMs: 0 };
  const withState = (state?: Float32Array, hopsTaken = 3) =>
    restoreSession([{ ...since(0), checkpoints: [{ hopsTaken, state }] }], options).history
      .checkpoints.length;
  assert.equal(withState(new Float32Array(layout.stateFloats)), 1);
  assert.equal(withState(undefined, 0), 1);
  assert.throws(() => withState(new Float32Array(layout.stateFloats - 1)), /no beginning/);
  assert.throws(() => withState(undefined), /no beginning/);
  assert.throws(() => withState(new Float32Array(layout.stateFloats), 0), /no beginning/);
});

Deno.test("follow() continues with audio, and with nothing that changes more than that", () => {
  const restored = () => {
    const { session, since, first, identity } = recorded();
    return {
      session,
      since,
      copy: restoreSession([first], { identity, layout, openedAtMs: 0 }),
    };
  };
  const heard = restored();
  heard.session.hear(new Uint8Array(4_001));
  assert.equal(follow(heard.copy, [heard.since(1_000), heard.since(3_001)]), true);
  assert.deepEqual(heard.copy.position, heard.session.position);
  assert.equal(heard.copy.frames, 17);
  const gap = restored();
  gap.session.hear(new Uint8Array(4_000));
  assert.equal(follow(gap.copy, [gap.since(1_001)]), false);
  const selected = restored();
  selected.session.select(LATENT, 3);
  assert.equal(follow(selected.copy, [selected.since(1_000, true)]), false);
  const again = restored();
  for (const session of [again.session, again.copy]) session.select(LATENT, 3);
  again.session.select({ ...LATENT, every: 7 }, 3);
  assert.equal(follow(again.copy, [again.since(1_000, true)]), false);
  const reset = restored();
  reset.session.reset();
  reset.session.hear(new Uint8Array(2_000));
  const [start, { position, ...rest }] = [1_000, reset.since(0)];
  assert.equal(follow(reset.copy, [{ ...rest, position, start }]), false);
});

Deno.test("unpack() refuses what another version packed", () => {
  const { first } = recorded();
  const packed = pack(first);
  assert.deepEqual(unpack(packed), first);
  const [version, ...rest] = v8.deserialize(packed);
  assert.throws(
    () => unpack(v8.serialize([version + 1, ...rest])),
    {
      name: "OtherVersion",
      message: `state version ${version + 1}, and this server reads version ${version}`,
    },
  );
});

const HEAD = {
  head: "ring",
  row: 7,
  filled: 0,
  features: Float32Array.of(1),
  events: [{ on: true, since: 3, rows: 2 }],
};

Deno.test("unpack() joins pieces across records, and leaves out what lacks some", () => {
  const { first } = recorded();
  const [old, fresh] = [[1, 2], [3]].map((numbers, i): Piece => ({
    runs: Uint32Array.of(i, i + numbers.length),
    values: Float32Array.from(numbers),
  }));
  const checkpointOf = (hopsTaken: number, state: Piece[]) => ({
    hopsTaken,
    heads: [{ ...HEAD, state }],
  });
  const names = new Map([[old, 5], [fresh, 6]]);
  const one = pack({
    ...first,
    checkpoints: [checkpointOf(2, [old])],
    pieces: new Map([[5, old]]),
  });
  const two = pack({
    ...first,
    checkpoints: [checkpointOf(4, [old, fresh])],
    pieces: new Map([[6, fresh]]),
  }, names);
  assert.ok(two.length < one.length + 100);
  const known = new Map<number, Piece>();
  const [{ heads: before }] = unpack(one, known).checkpoints;
  const [{ heads: after }] = unpack(two, known).checkpoints;
  assert.deepEqual([...assembled(after![0].state, 3)], [1, 3, 0]);
  assert.equal(after![0].state[0], before![0].state[0], "they share it");
  assert.deepEqual(unpack(two).checkpoints, []);
  const { checkpoints } = first;
  assert.throws(() => pack({ ...first, checkpoints: [checkpointOf(4, [fresh])] }), /has no name/);
  const damaged = { ...fresh, values: new Float32Array(2) };
  const wrong = pack({ ...first, checkpoints, pieces: new Map([[6, damaged]]) });
  assert.throws(() => unpack(wrong), /not a record of a session/);
});
