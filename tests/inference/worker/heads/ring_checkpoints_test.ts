/**
 * Checkpoints of a head whose state is rings of keys and values, as voice activity projection has.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Checkpoint, HeadBlock, SavedHead } from "../../../../inference/messages.ts";
import { completeCheckpoint } from "../../../../inference/saved_heads.ts";
import { assembled, bytesOf } from "../../../../inference/snapshot.ts";
import { stepHeads } from "../../../../inference/worker/heads/step_heads.ts";
import { StreamHead } from "../../../../inference/worker/heads/stream_head.ts";
import { OnnxHead } from "../../../../model/engines/onnx_head.ts";
import { headSpecSchema } from "../../../../model/heads/spec.ts";
import { vapGraph } from "../../../../model/vap/graph.ts";
import { headJson } from "../../../../model/vap/head.ts";
import { modelDims } from "../../../../model/weights.ts";
import { featureRows, vapFixture } from "../../../support/vap.ts";

const fixture = vapFixture("vap_50hz");
const { network, windowRows, weights } = fixture;
const features = featureRows(fixture);
const ROWS = 3 * windowRows + 7;

async function withHead(use: (head: OnnxHead) => Promise<void>): Promise<void> {
  const spec = headSpecSchema.parse(
    headJson(network.sizes, { windowRows, features: "0".repeat(64) }),
  );
  const graph = vapGraph(network, { windowRows });
  const file = { name: "vap", spec, graph, folder: "vap" };
  const head = await OnnxHead.create(file, { dims: modelDims(weights.config) });
  try {
    await use(head);
  } finally {
    await head.dispose();
  }
}

/** Lets it hear a row; returns what it answered. */
async function hear(stream: StreamHead, row: number): Promise<HeadBlock> {
  stream.ready.push(features[row % features.length].slice());
  const { failures } = await stepHeads([stream]);
  assert.equal(failures.size, 0);
  return stream.take()!;
}

const stateOf = ({ state }: StreamHead) => state.flatMap((values) => [...values]);

Deno.test("StreamHead.save(): from any checkpoint of a ring, rows go on bit by bit", async () => {
  await withHead(async (head) => {
    const saves = fc.array(fc.integer({ min: 1, max: ROWS }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(saves, fc.nat(1000), async (at, draw) => {
        const stream = new StreamHead(head, { hopSamples: 160, first: 0 });
        const heard: HeadBlock[] = [];
        const saved: { row: number; heads: readonly SavedHead[]; state: number[] }[] = [];
        let former: Checkpoint | undefined;
        for (let row = 0; row < ROWS; row++) {
          if (at.includes(row)) {
            const reported = { hopsTaken: row, heads: [stream.save()] };
            former = completeCheckpoint(reported, former?.heads);
            saved.push({ row, heads: former.heads!, state: stateOf(stream) });
          }
          heard.push(await hear(stream, row));
        }
        for (const { heads: [{ state }], state: then } of saved) {
          assert.deepEqual([...assembled(state, head.stateFloats)], then);
        }
        if (saved.length === 0) return;
        const { row: from, heads: [one] } = saved[draw % saved.length];
        const next = new StreamHead(head, { hopSamples: 160, saved: one });
        for (let row = from; row < ROWS; row++) {
          assert.deepEqual(await hear(next, row), heard[row]);
          if (row !== from + 5) continue; // it goes on with checkpoints too
          const later = completeCheckpoint({ hopsTaken: row, heads: [next.save()] }, [one]);
          const [{ state }] = later.heads!;
          assert.deepEqual([...assembled(state, head.stateFloats)], stateOf(next));
        }
      }),
      { numRuns: 3 },
    );
  });
});

Deno.test("StreamHead.save() costs the appended rows; checkpoints share the rest", async () => {
  await withHead(async (head) => {
    const each = 5;
    const rowBytes = 4 * (head.stateFloats - 1) / windowRows;
    const stream = new StreamHead(head, { hopSamples: 160, first: 0 });
    const all: SavedHead[] = [];
    for (let row = 0; row < ROWS; row++) {
      await hear(stream, row);
      if ((row + 1) % each !== 0) continue;
      const reported = stream.save();
      const bytes = bytesOf([reported.changed]);
      // a row of each ring and channel is a run
      assert.ok(bytes >= each * rowBytes && bytes <= each * rowBytes * 1.15, `${bytes} bytes`);
      all.push(completeCheckpoint({ hopsTaken: row, heads: [reported] }, all.slice(-1)).heads![0]);
    }
    const kept = bytesOf(all.flatMap(({ state }) => state));
    const appended = Math.floor(ROWS / each) * each * rowBytes;
    assert.ok(kept >= appended && kept <= 1.15 * appended, `${kept} bytes for ${appended}`);
    const [oldest] = all.slice(-10);
    const whole = 4 * head.stateFloats;
    assert.ok(bytesOf(oldest.state) <= 1.15 * (whole + each * rowBytes));
  });
});

Deno.test("completeCheckpoint() refuses a head that goes on from the unknown", async () => {
  await withHead(async (head) => {
    const stream = new StreamHead(head, { hopSamples: 160, first: 0 });
    await hear(stream, 0);
    const first = { hopsTaken: 2, heads: [stream.save()] };
    await hear(stream, 1);
    const second = { hopsTaken: 4, heads: [stream.save()] };
    assert.throws(() => completeCheckpoint(second), /no earlier state of the head vap/);
    const { heads } = completeCheckpoint(first);
    assert.equal(completeCheckpoint(second, heads).heads?.[0].row, 2);
    assert.deepEqual(completeCheckpoint({ hopsTaken: 1 }, heads), { hopsTaken: 1 });
  });
});
