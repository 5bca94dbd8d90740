import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError } from "../../errors.ts";
import { EngineStream, type Seat } from "../../inference/engine_stream.ts";
import { channelBlock } from "../../inference/frame_block.ts";
import type { FrameBlock, Lease, Want } from "../../inference/messages.ts";
import { NOTHING } from "../../inference/want.ts";
import { StepLoop, type StepReports } from "../../inference/worker/step_loop.ts";
import type { Engine } from "../../model/engine.ts";
import { createEngine } from "../../model/engines/create.ts";
import { OnnxHead } from "../../model/engines/onnx_head.ts";
import { frameRows } from "../support/frame_rows.ts";
import { maxDifference } from "../support/golden.ts";
import { fadingHead, ringHead } from "../support/heads.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { random } from "../support/stream.ts";

const weights = randomWeights(tinyConfig, 31, "tiny");
const WANTS: readonly Want[] = [
  { ...NOTHING, context: true },
  { ...NOTHING, latent: true, prediction: [2], every: 3 },
  { ...NOTHING, context: true, prediction: [1, 2], score: [1, 2] },
  { ...NOTHING, context: true, heads: ["ring", "fading"] },
  { ...NOTHING, heads: ["ring"] },
  NOTHING,
];

interface Model {
  readonly engine: Engine;
  readonly heads: ReadonlyMap<string, OnnxHead>;
}

/** A worker without a thread: it steps when it is told to, and what it reports waits likewise. */
class LocalWorker {
  readonly #loop: StepLoop;
  readonly #lease: Lease = { index: 0, generation: 1 };
  #outbox: (() => void)[] = [];
  readonly #reached = new Map<number, (frames: number) => void>();
  #nextId = 0;

  constructor({ engine, heads }: Model, stream: EngineStream) {
    const reports: StepReports = {
      step: (results, data) =>
        this.#outbox.push(() => {
          for (const { offset, length, hopsTaken, checkpoint, ...rest } of results) {
            const block = { ...rest, data: data.slice(offset, offset + length) };
            stream.report(block, { hopsTaken, checkpoint, computeMs: 1 });
          }
        }),
      reached: (_, id, frames) => this.#outbox.push(() => this.#reached.get(id)?.(frames)),
      failed: (_, error) => {
        throw error;
      },
    };
    this.#loop = new StepLoop(new Map([["tiny", engine]]), {
      reports,
      heads: new Map([["tiny", heads]]),
    });
    this.#loop.handle({ type: "open", lease: this.#lease, ...stream.opening });
  }

  get seat(): Seat {
    const lease = this.#lease;
    return {
      post: (message) => this.#loop.handle({ ...message, lease }),
      request: (type, onReached) => {
        this.#reached.set(++this.#nextId, onReached);
        this.#loop.handle({ type, lease, id: this.#nextId });
      },
      release: () => this.#loop.handle({ type: "release", lease }),
    };
  }

  /** Takes up to so many steps. */
  async step(steps: number): Promise<void> {
    for (let taken = 0; taken < steps && await this.#loop.step(); taken++);
  }

  /** Lets its oldest reports through. */
  deliver(count: number): void {
    for (const report of this.#outbox.splice(0, count)) report();
  }
}

/** A stream and its worker, which can be lost. */
class Bench {
  readonly stream: EngineStream;
  /** `segment:frame` and the rows of all channels, as they came. */
  readonly rows: [string, number[]][] = [];
  /** The same of heads' rows, by channel. */
  readonly headRows = new Map<string, [string, number[]][]>();
  readonly errors: CpcError[] = [];
  readonly #model: Model;
  #worker?: LocalWorker;
  #segment = 0;
  #hours = 0;

  constructor(model: Model, { want, channels }: { want: Want; channels: number }) {
    this.#model = model;
    this.stream = new EngineStream({
      model: "tiny",
      channels,
      priority: "live",
      want,
      checkpointHops: 4,
      onFrames: (block) => this.#keep(block),
      onError: (error) => this.errors.push(error),
    }, {
      layout: model.engine.layout,
      seats: {
        nowMs: () => ++this.#hours * 3_600_000,
        move: () => this.#worker = undefined,
        forget: () => {},
      },
    });
    this.seat();
  }

  /** Gives the stream a worker if it has none. */
  seat(): void {
    if (this.#worker) return;
    this.#worker = new LocalWorker(this.#model, this.stream);
    this.stream.sit(this.#worker.seat);
  }

  lose(): void {
    if (!this.#worker) return;
    this.#worker = undefined;
    this.stream.lost(new CpcError("model_failed", "the test took its worker"));
  }

  async step(steps: number): Promise<void> {
    await this.#worker?.step(steps);
  }

  deliver(count: number): void {
    this.#worker?.deliver(count);
  }

  /** Works until a promise of the stream is kept. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let kept = false;
    promise.finally(() => kept = true).catch(() => {});
    while (!kept) {
      this.seat();
      await this.#worker?.step(Infinity);
      this.#worker?.deliver(Infinity);
      await new Promise((resolve) => setTimeout(resolve));
    }
    return await promise;
  }

  reset(): void {
    this.stream.reset();
    this.#segment++;
  }

  #keep(block: FrameBlock): void {
    const channels = Array.from(
      { length: block.channels },
      (_, channel) => frameRows(channelBlock(block, channel), this.#model.engine.layout.dims),
    );
    for (const [i, [frame]] of channels[0].entries()) {
      this.rows.push([`${this.#segment}:${frame}`, channels.flatMap((rows) => rows[i][1])]);
    }
    for (const { head, channel = 0, first, count, data } of block.heads ?? []) {
      const rows = this.headRows.get(`${head} ${channel}`) ?? [];
      this.headRows.set(`${head} ${channel}`, rows);
      const width = data.length / count;
      for (let r = 0; r < count; r++) {
        const row = [...data.subarray(r * width, (r + 1) * width)];
        rows.push([`${head} ${this.#segment}:${first + r}`, row]);
      }
    }
  }
}

type Action =
  | { readonly do: "push"; readonly length: number; readonly seed: number }
  | { readonly do: "step" | "deliver"; readonly count: number }
  | { readonly do: "update"; readonly want: number; readonly loseAfter: number }
  | { readonly do: "reset" | "lose" | "seat" };

const count = fc.integer({ min: 1, max: 3 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("push" as const),
      length: fc.integer({ min: 1, max: 2500 }),
      seed: fc.nat(99),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("step", "deliver"), count }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("update" as const),
      want: fc.nat(WANTS.length - 1),
      loseAfter: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("lose", "seat") }) },
);

/** Does what was drawn; `losses`: or all but the losses. Returns the rows and the frames in all. */
async function perform(
  model: Model,
  { actions, losses, want, channels }: {
    actions: readonly Action[];
    losses: boolean;
    want: Want;
    channels: number;
  },
) {
  const bench = new Bench(model, { want, channels });
  const { stream } = bench;
  const counts: number[] = [];
  for (const action of actions) {
    switch (action.do) {
      case "push": {
        const next = random(action.seed);
        stream.push(Float32Array.from({ length: channels * action.length }, () => next() - 0.5));
        break;
      }
      case "step":
        await bench.step(action.count);
        break;
      case "deliver":
        bench.deliver(action.count);
        break;
      case "update": {
        const drained = stream.drained();
        await bench.step(action.loseAfter);
        bench.deliver(action.loseAfter);
        if (losses && action.loseAfter > 1) bench.lose();
        counts.push(await bench.until(drained));
        stream.update(WANTS[action.want]);
        break;
      }
      case "reset":
        counts.push(await bench.until(stream.drained()));
        if (losses) bench.lose(); // the next worker computes the segment again, in vain
        if (losses) bench.seat();
        bench.reset();
        break;
      case "lose":
        if (losses) bench.lose();
        break;
      case "seat":
        bench.seat();
    }
  }
  const finished = stream.finish();
  await bench.step(1);
  bench.deliver(1);
  if (losses) bench.lose();
  counts.push(await bench.until(finished));
  stream.release();
  assert.deepEqual(bench.errors, []);
  return { rows: [bench.rows, ...bench.headRows.values()].flat(), counts };
}

Deno.test("EngineStream: workers lost at any moment change, lose, repeat no frame", async () => {
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  const { dims } = engine.layout;
  const files = [
    ringHead({ dims: dims.context }),
    fadingHead({ dims: dims.context, every: 3 }),
  ];
  const heads = new Map<string, OnnxHead>();
  for (const file of files) heads.set(file.name, await OnnxHead.create(file, { dims }));
  const model = { engine, heads };
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 40 }),
      fc.constantFrom(...WANTS),
      fc.constantFrom(1, 1, 2, 3),
      async (actions, want, channels) => {
        const unbroken = await perform(model, { actions, losses: false, want, channels });
        const broken = await perform(model, { actions, losses: true, want, channels });
        assert.deepEqual(broken.counts, unbroken.counts);
        assert.deepEqual(
          broken.rows.map(([frame]) => frame),
          unbroken.rows.map(([frame]) => frame),
        );
        for (const [i, [frame, row]] of unbroken.rows.entries()) {
          const [, other] = broken.rows[i];
          assert.deepEqual(other.map(Number.isNaN), row.map(Number.isNaN), frame);
          const numbers = (row: number[]) => row.filter((x) => !Number.isNaN(x));
          assert.ok(maxDifference(numbers(other), numbers(row)) <= 1e-4, frame);
        }
      },
    ),
    { numRuns: 150 },
  );
  for (const head of heads.values()) await head.dispose();
  await engine.dispose();
});
