import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { pack, type SessionRecord, unpack } from "../../../streaming/session/packing.ts";

const index = fc.integer({ min: 0, max: 2 ** 40 });
const samples = fc.array(fc.integer({ min: -32768, max: 32767 }), { maxLength: 50 });

const plain = { noNullPrototype: true } as const;

/** A state, and where it and those before it lie. */
const withState = {
  checkpoints: [{ hopsTaken: 7, state: Float32Array.of(1, 2) }],
  states: [{ sample: 0, frame: 0, seq: 1, from: 1 }, { sample: 9, frame: 5, seq: 8, from: 3 }],
};

const anyRecord: fc.Arbitrary<SessionRecord> = fc.record({
  position: fc.record({
    segment: fc.integer({ min: 0, max: 9 }),
    finished: fc.boolean(),
    decoder: fc.record({
      samples: index,
      pending: fc.uint8Array({ maxLength: 1 }).map((bytes) => Uint8Array.from(bytes)),
    }, plain),
  }, plain),
  start: index,
  audio: fc.oneof(
    samples.map((all) => Int16Array.from(all)),
    samples.map((all) => Float32Array.from(all, (x) => x / 7)),
  ),
  pieces: fc.constant(new Map()),
}).chain((record) =>
  fc.constantFrom({ checkpoints: [], states: [] }, withState).map((states) => ({
    ...record,
    ...states,
  }))
);

Deno.test("unpack() gives what pack() was given, wherever the bytes lie", () => {
  fc.assert(fc.property(anyRecord, fc.nat(7), (record, shift) => {
    const packed = pack(record);
    const moved = Buffer.concat([new Uint8Array(shift), packed]).subarray(shift);
    const { position, identity, ...rest } = unpack(moved);
    const { decoder, segment, finished, resampler } = position;
    assert.deepEqual([identity, resampler], [undefined, undefined]);
    assert.deepEqual(
      { ...rest, position: { segment, finished, decoder } },
      { ...record, checkpoints: [...record.checkpoints] },
    );
  }));
});

Deno.test("unpack() refuses what is cut short or of another version", () => {
  const position = {
    segment: 0,
    finished: false,
    decoder: { samples: 3, pending: new Uint8Array() },
  };
  const packed = pack({
    position,
    start: 0,
    audio: Int16Array.of(1, 2, 3),
    checkpoints: [],
    pieces: new Map(),
    states: [],
  });
  assert.equal(packed.length, 38); // 32 and the samples
  for (const damaged of [packed.subarray(0, 30), packed.subarray(0, 37), Uint8Array.of(2)]) {
    assert.throws(() => unpack(damaged));
  }
  for (const number of [-1, 0.5, NaN]) {
    const wrong = packed.slice();
    new Float64Array(wrong.buffer, 8, 1)[0] = number;
    assert.throws(() => unpack(wrong), TypeError);
  }
});
