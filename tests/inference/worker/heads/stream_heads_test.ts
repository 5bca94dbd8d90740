import assert from "node:assert/strict";
import type {
  Checkpoint,
  HeadBlock,
  Lease,
  StreamMessage,
  Want,
} from "../../../../inference/messages.ts";
import { completeCheckpoint } from "../../../../inference/saved_heads.ts";
import { StepLoop } from "../../../../inference/worker/step_loop.ts";
import { streamingPlan } from "../../../../model/architecture.ts";
import { createEngine } from "../../../../model/engines/create.ts";
import { OnnxHead } from "../../../../model/engines/onnx_head.ts";
import { referenceForward } from "../../../../model/reference.ts";
import { modelDims } from "../../../../model/weights.ts";
import { maxDifference } from "../../../support/golden.ts";
import { fadingHead, fadingRows } from "../../../support/heads.ts";
import { randomWeights, tinyConfig } from "../../../support/models.ts";
import { noise } from "../../../support/noise.ts";

const weights = randomWeights(tinyConfig, 17, "tiny");
const dims = modelDims(tinyConfig);
const SUMS = { every: 3, dims: dims.context };
const EACH = { every: 1, dims: dims.latent, keep: 0.5 };
const LOUD = {
  event: "loud",
  output: "loud",
  index: 0,
  on: 0.5,
  off: 0.4,
  min_on_s: 0,
  min_off_s: 0,
};
/** Its output is a number only while the sums are below 9. */
const WEAK = fadingHead({
  ...SUMS,
  name: "weak",
  alter: (graph, { level }) =>
    graph.node("Sqrt", [graph.node("Sub", [graph.constant(Float32Array.of(9), [1]), level])]),
});
const files = [
  fadingHead({ ...SUMS, name: "sums", spec: { events: [LOUD] } }),
  fadingHead({ ...EACH, name: "each", input: "latent" }),
  WEAK,
];
const WANT: Want = {
  context: true,
  latent: false,
  prediction: [],
  score: [],
  every: 1,
  heads: ["sums", "each"],
};

/** A stream of a loop with heads, and what it gave. */
async function withLoop(
  use: (loop: {
    handle(message: StreamMessage): void;
    steps(): Promise<void>;
    heard: Map<number, HeadBlock[]>;
    checkpoints: Map<number, Checkpoint[]>;
  }) => Promise<void>,
  failed: (lease: Lease, error: Error) => void = (_lease, error) => assert.fail(error),
): Promise<void> {
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const heads = await Promise.all(files.map((file) => OnnxHead.create(file, { dims })));
  const heard = new Map<number, HeadBlock[]>();
  const checkpoints = new Map<number, Checkpoint[]>();
  const restored = new Map<number, Checkpoint>();
  const add = ({ index }: Lease, blocks: readonly HeadBlock[] = []) =>
    heard.set(index, [...heard.get(index) ?? [], ...blocks]);
  const loop = new StepLoop(new Map([["tiny", engine]]), {
    heads: new Map([["tiny", new Map(heads.map((head) => [head.name, head]))]]),
    reports: {
      step(results) {
        for (const { lease, heads, checkpoint } of results) {
          add(lease, heads);
          const { index } = lease;
          if (!checkpoint) continue;
          const former = checkpoints.get(index) ?? [];
          const { heads: before } = former.at(-1) ?? restored.get(index) ?? {};
          checkpoints.set(index, [...former, completeCheckpoint(checkpoint, before)]);
        }
      },
      reached: (lease, _id, _frames, heads) => void add(lease, heads),
      failed,
    },
  });
  try {
    await use({
      handle(message) {
        if (message.type === "open" && message.restore) {
          restored.set(message.lease.index, message.restore);
        }
        loop.handle(message);
      },
      async steps() {
        while (await loop.step());
      },
      heard,
      checkpoints,
    });
  } finally {
    for (const head of heads) await head.dispose();
    await engine.dispose();
  }
}

/** Compares the rows of a head, from one on, with those of the whole signal. */
function assertRows(
  blocks: readonly HeadBlock[],
  { head, samples, from = 0 }: { head: "sums" | "each"; samples: Float32Array; from?: number },
): void {
  const truth = referenceForward(weights, samples);
  const expected = head === "sums"
    ? fadingRows([truth.context.data], SUMS)
    : fadingRows([truth.latent.data], EACH);
  const own = blocks.filter((block) => block.head === head);
  let next = from;
  for (const { first, count, every, data } of own) {
    assert.equal(first, next, head);
    assert.equal(every, head === "sums" ? 3 : 1);
    for (let r = 0; r < count; r++) {
      const { level, loud } = expected[first + r];
      const width = data.length / count;
      const row = [...data.subarray(r * width, (r + 1) * width)];
      assert.ok(maxDifference(row, [...level, loud]) <= 1e-4, `${head}, row ${first + r}`);
    }
    next += count;
  }
  assert.equal(next, expected.length);
}

const open = (lease: Lease, restore?: Checkpoint): StreamMessage => ({
  type: "open",
  lease,
  model: "tiny",
  channels: 1,
  priority: "live",
  want: WANT,
  restore,
  checkpointHops: 4,
});

Deno.test("StepLoop: each head hears every frame of its stream once, in any chunks", async () => {
  const streams = [noise(5000, 1), noise(6400, 2)];
  await withLoop(async ({ handle, steps, heard }) => {
    const leases = streams.map((_, index) => ({ index, generation: 0 }));
    leases.forEach((lease) => handle(open(lease)));
    for (let at = 0; at < 6400; at += 700) {
      leases.forEach((lease, s) =>
        handle({ type: "audio", lease, samples: streams[s].slice(at, at + 700) })
      );
      await steps();
    }
    leases.forEach((lease) => handle({ type: "finish", lease, id: 1 }));
    await steps();
    streams.forEach((samples, s) => {
      const blocks = heard.get(s) ?? [];
      assertRows(blocks, { head: "sums", samples });
      assertRows(blocks, { head: "each", samples });
      const states = blocks.flatMap(({ events }) => events).map(({ state }) => state);
      assert.ok(states.length > 0);
      assert.deepEqual(states, states.map((_, i) => i % 2 === 0 ? "start" : "end"));
      assert.equal(states.at(-1), "end");
    });
  });
});

Deno.test("StepLoop: heads go on from a checkpoint in the middle of a row", async () => {
  const samples = noise(6000, 3);
  await withLoop(async ({ handle, steps, heard, checkpoints }) => {
    const [first, second] = [0, 1].map((index) => ({ index, generation: 0 }));
    handle(open(first));
    for (let at = 0; at < samples.length; at += 640) {
      handle({ type: "audio", lease: first, samples: samples.slice(at, at + 640) });
      await steps();
    }
    const saved = checkpoints.get(0)!.findLast(({ heads, hopsTaken }) =>
      hopsTaken < 30 && heads!.find(({ head }) => head === "sums")!.filled > 0
    )!;
    assert.ok(saved, "a checkpoint in the middle of a row");
    handle(open(second, saved));
    const { hopSamples, leadSamples } = streamingPlan(tinyConfig);
    const at = saved.hopsTaken * hopSamples - leadSamples;
    handle({ type: "audio", lease: second, samples: samples.slice(at) });
    handle({ type: "finish", lease: second, id: 1 });
    await steps();
    for (const head of ["sums", "each"] as const) {
      const from = saved.heads!.find((one) => one.head === head)!.row;
      assertRows(heard.get(1)!, { head, samples, from });
    }
  });
});

Deno.test("StepLoop: a head that fails ends its stream, and no other of the step", async () => {
  const failed: string[] = [];
  await withLoop(async ({ handle, steps, heard }) => {
    const samples = noise(8000, 4);
    const leases = [0, 1, 2].map((index) => ({ index, generation: 1 }));
    for (const lease of leases) {
      const want = { ...WANT, heads: lease.index === 1 ? ["weak"] : ["sums", "each"] };
      handle({ ...open(lease), want } as StreamMessage);
      handle({
        type: "audio",
        lease,
        samples: samples.map((x) => lease.index === 1 ? 1e6 * x : x),
      });
      handle({ type: "finish", lease, id: lease.index });
    }
    await steps();
    for (const index of [0, 2]) {
      for (const head of ["sums", "each"] as const) {
        assertRows(heard.get(index)!, { head, samples });
      }
    }
  }, ({ index }, { message }) => failed.push(`${index}: ${message}`));
  assert.deepEqual(failed, [
    "1: the head weak failed on this stream: its output is not a finite number",
  ]);
});
