import assert from "node:assert/strict";
import fc from "fast-check";
import { EventFollower, type HeadEvent } from "../../../model/heads/events.ts";
import { headSpecSchema } from "../../../model/heads/spec.ts";

const HOP = { hopSamples: 160 };

function specOf(events: readonly object[], every = 1) {
  return headSpecSchema.parse({
    input: "context",
    channels: 1,
    every,
    features: "0".repeat(64),
    outputs: [{ name: "other", shape: [2] }, { name: "speech", shape: [2, 2] }],
    events,
  });
}

const SPEECH = { event: "speech", output: "speech", index: 3, on: 0.5, off: 0.3 };

/** The watched number lies at place 5 of a row; all others would start and end it at every row. */
function rowOf(value: number): Float32Array {
  return Float32Array.of(1, 0, 1, 0, 1, value);
}

/** What comes of values, as `start@row/decided`. */
function follow(event: object, values: readonly number[], { every = 1, finish = true } = {}) {
  const follower = new EventFollower(specOf([{ ...SPEECH, ...event }], every), HOP);
  const heard = values.flatMap((value, row) => follower.hear(row, rowOf(value)));
  if (finish) heard.push(...follower.finish(values.length - 1));
  return heard.map(({ state, row, decided }) => `${state}@${row}/${decided}`);
}

Deno.test("EventFollower: without least times, a row at `on` starts, one below `off` ends", () => {
  assert.deepEqual(follow({}, [0.1, 0.49, 0.5, 0.3, 0.29, 0.4]), ["start@2/2", "end@4/4"]);
});

Deno.test("EventFollower: starts once every row for min_on_s was at least `on`", () => {
  const event = { min_on_s: 0.03 };
  assert.deepEqual(follow(event, [0, 0.9, 0.9], { finish: false }), []);
  assert.deepEqual(follow(event, [0, 0.9, 0.9, 0.9], { finish: false }), ["start@1/3"]);
  assert.deepEqual(follow(event, [0.9, 0.9, 0, 0.9, 0.9, 0], { finish: false }), []);
});

Deno.test("EventFollower: ends once every row for min_off_s was below `off`", () => {
  const event = { min_off_s: 0.03 };
  assert.deepEqual(follow(event, [1, 0, 0, 1, 0, 0, 0], { finish: false }), [
    "start@0/0",
    "end@4/6",
  ]);
});

Deno.test("EventFollower: a row between the two breaks no span and does not count", () => {
  assert.deepEqual(follow({ min_on_s: 0.02 }, [0.9, 0.4, 0.4, 0.9], { finish: false }), [
    "start@0/3",
  ]);
  assert.deepEqual(follow({ min_on_s: 0.02 }, [0.9, 0.4, 0.29, 0.9], { finish: false }), []);
  assert.deepEqual(follow({ min_off_s: 0.02 }, [1, 0.1, 0.4, 0.1], { finish: false }), [
    "start@0/0",
    "end@1/3",
  ]);
  assert.deepEqual(follow({ min_off_s: 0.02 }, [1, 0.1, 0.5, 0.1], { finish: false }), [
    "start@0/0",
  ]);
});

Deno.test("EventFollower: what is on at the end of the signal ends with its last row", () => {
  assert.deepEqual(follow({}, [0, 0.9, 0.9]), ["start@1/1", "end@2/2"]);
  assert.deepEqual(follow({ min_off_s: 1 }, [0.9, 0.1, 0.1]), ["start@0/0", "end@2/2"]);
  assert.deepEqual(follow({ min_on_s: 1 }, [0.9, 0.9]), []);
});

Deno.test("EventFollower: a time is rows of the head's own rate", () => {
  // a row is 0.05 s: 0.15 s are three rows, although 0.15 / 0.05 is more than 3 in floats
  assert.deepEqual(follow({ min_on_s: 0.15 }, [1, 1, 1], { every: 5, finish: false }), [
    "start@0/2",
  ]);
  assert.deepEqual(follow({ min_on_s: 0.151 }, [1, 1, 1], { every: 5, finish: false }), []);
});

Deno.test("EventFollower: events are independent of each other", () => {
  const other = { event: "first", output: "other", index: 1, on: 1, off: 1 };
  const follower = new EventFollower(specOf([SPEECH, other]), HOP);
  const heard: HeadEvent[] = [];
  for (const [row, [first, speech]] of [[0, 1], [1, 1], [1, 0]].entries()) {
    heard.push(...follower.hear(row, Float32Array.of(9, first, 9, 9, 9, speech)));
  }
  assert.deepEqual(heard.map(({ event, state, row }) => [event, state, row]), [
    ["speech", "start", 0],
    ["first", "start", 1],
    ["speech", "end", 2],
  ]);
});

Deno.test("EventFollower: continued from its states, it gives the same events", () => {
  const value = fc.constantFrom(0, 0.29, 0.3, 0.4, 0.5, 1);
  const bounds = fc.record({
    min_on_s: fc.constantFrom(0, 0.02, 0.05),
    min_off_s: fc.constantFrom(0, 0.02, 0.05),
  });
  fc.assert(
    fc.property(fc.array(value, { maxLength: 40 }), bounds, fc.nat(40), (values, event, cut) => {
      const spec = specOf([{ ...SPEECH, ...event }]);
      let follower = new EventFollower(spec, HOP);
      const heard = values.flatMap((value, row) => {
        if (row === cut) {
          const { states } = structuredClone({ states: follower.states });
          follower = new EventFollower(spec, { ...HOP, states });
        }
        return follower.hear(row, rowOf(value));
      });
      heard.push(...follower.finish(values.length - 1));
      const told = heard.map(({ state, row, decided }) => `${state}@${row}/${decided}`);
      assert.deepEqual(told, follow(event, values));
      assert.deepEqual(
        heard.map(({ state }) => state),
        heard.map((_, i) => i % 2 ? "end" : "start"),
      );
    }),
  );
});
