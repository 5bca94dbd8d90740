import assert from "node:assert/strict";
import type { StepResult, Want } from "../../inference/messages.ts";
import { ResultPacker, ResultReader } from "../../inference/step_results.ts";

const CONTEXT: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };
const LATENT: Want = { ...CONTEXT, context: false, latent: true };

function result(index: number, changes: Partial<StepResult> = {}): StepResult {
  return {
    lease: { index, generation: 7 },
    channels: 1,
    hopsTaken: 11,
    first: 8,
    count: 2,
    frames: 10,
    offset: 512,
    length: 256,
    want: CONTEXT,
    checkpoint: undefined,
    heads: undefined,
    ...changes,
  };
}

Deno.test("ResultReader reads what ResultPacker has packed, step by step", () => {
  const [packer, reader] = [new ResultPacker(), new ResultReader()];
  const checkpoint = { hopsTaken: 11, state: Float32Array.of(1, 2) };
  const heads = [
    { head: "vad", every: 1, first: 8, count: 0, data: new Float32Array(0), events: [] },
  ];
  const steps = [
    [result(0), result(1, { want: LATENT, channels: 2 }), result(2)],
    [
      result(0, { hopsTaken: 12, frames: 11 }),
      result(2, { checkpoint }),
      result(1, { want: LATENT }),
    ],
    [result(0, { want: LATENT, heads }), result(2)],
    [
      result(0, { want: CONTEXT, lease: { index: 0, generation: 8 } }),
      result(2, { heads, checkpoint }),
    ],
    [],
  ];
  for (const step of steps) {
    const packed = structuredClone(packer.pack(step));
    assert.deepEqual(reader.read(packed), step);
  }
});

Deno.test("ResultPacker.pack() tells what a stream wants once, and again if it changes", () => {
  const packer = new ResultPacker();
  const told = (one: StepResult) => packer.pack([one]).others?.map(({ want }) => want);
  assert.deepEqual(told(result(3)), [CONTEXT]);
  assert.equal(told(result(3)), undefined);
  assert.deepEqual(told(result(3, { want: LATENT })), [LATENT]);
  assert.deepEqual(told(result(3, { want: LATENT, lease: { index: 3, generation: 8 } })), [LATENT]);
});

Deno.test("ResultReader.read() refuses a stream of which no step has told what it wants", () => {
  const packer = new ResultPacker();
  packer.pack([result(3)]);
  const packed = packer.pack([result(3)]);
  assert.throws(() => new ResultReader().read(packed), /no step has told/);
});
