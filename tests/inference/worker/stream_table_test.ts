import assert from "node:assert/strict";
import { StreamTable } from "../../../inference/worker/stream_table.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";

const WANT = { context: true, latent: false, prediction: [], score: [], every: 1 } as const;

Deno.test("StreamTable.awake() has streams with hops, and those that speak", async () => {
  const engine = await createEngine("onnx", randomWeights(tinyConfig, 1, "tiny"), {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const table = new StreamTable(new Map([["tiny", engine]]));
  const { hopSamples } = engine.layout.plan;
  const [idle, speaking, waiting, removed] = [0, 1, 2, 3].map((index) =>
    table.open({
      type: "open",
      lease: { index, generation: 0 },
      model: "tiny",
      channels: 1,
      priority: "live",
      want: WANT,
      checkpointHops: 0,
    })
  );
  assert.deepEqual(table.awake(0), []);
  speaking.pace.heard(0.02, 0);
  for (const stream of [waiting, removed]) stream.queue.push(new Float32Array(10 * hopSamples));
  for (const stream of [speaking, waiting, removed]) table.wake(stream);
  table.remove(removed);
  assert.deepEqual(table.awake(1), [speaking, waiting]);
  assert.deepEqual(table.awake(10_000), [waiting], "the other one has stopped speaking");
  table.wake(idle);
  assert.deepEqual(table.awake(10_000), [waiting], "nothing came of it");
  await engine.dispose();
});
