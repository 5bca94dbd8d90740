import assert from "node:assert/strict";
import fc from "fast-check";
import { assembled, type Snapshot, withChanges } from "../../../../inference/snapshot.ts";
import { StateChanges } from "../../../../inference/worker/heads/state_changes.ts";

const bitsOf = (floats: Float32Array) => new Uint32Array(floats.slice().buffer);
const joined = (state: readonly Float32Array[]) =>
  Float32Array.from(state.flatMap((values) => [...values]));

Deno.test("StateChanges.take() gives the state bit by bit, in whatever steps it changed", () => {
  const value = fc.constantFrom(0, -0, NaN, Infinity, 1e-40, 1.5, -2);
  const write = fc.record({ state: fc.nat(2), from: fc.nat(1300), length: fc.nat(60), value });
  const step = fc.record({
    writes: fc.array(write, { maxLength: 6 }),
    replaces: fc.boolean(),
    restores: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.constantFrom(1, 700), (steps, size) => {
      const floats = 3 * size + 5;
      const empty = () => [size, 2 * size, 5].map((length) => new Float32Array(length));
      let state = empty();
      let changes = new StateChanges(state);
      let snapshot: Snapshot = [];
      for (const { writes, replaces, restores } of steps) {
        for (const { state: s, from, length, value } of writes) {
          if (replaces) state[s] = state[s].slice(); // as a step may
          state[s].fill(value, from, from + length);
        }
        snapshot = withChanges(snapshot, changes.take());
        assert.deepEqual(bitsOf(assembled(snapshot, floats)), bitsOf(joined(state)));
        if (!restores) continue;
        state = empty();
        changes = new StateChanges(state, snapshot);
        assert.deepEqual(bitsOf(joined(state)), bitsOf(assembled(snapshot, floats)));
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("StateChanges.take() gives a large state's changes, and small ones whole", () => {
  const state = [new Float32Array(4), new Float32Array(4000)];
  const changes = new StateChanges(state);
  assert.deepEqual(changes.take(), { runs: new Uint32Array(), values: new Float32Array() });
  state[0][3] = 1;
  state[1].fill(2, 100, 120);
  state[1].fill(3, 130, 140); // ten equal numbers lie between
  state[1][3999] = 4;
  const { runs, values } = changes.take();
  assert.deepEqual([...runs], [3, 4, 104, 144, 4003, 4004]);
  assert.equal(values.length, 42);
  const small = new StateChanges([new Float32Array(2), Float32Array.of(0)]);
  assert.deepEqual([...small.take().runs], [0, 2, 2, 3]);
});
