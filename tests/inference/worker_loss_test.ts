import assert from "node:assert/strict";
import { CpcError } from "../../errors.ts";
import type { EngineStream } from "../../inference/engine_stream.ts";
import type { Priority, Want } from "../../inference/messages.ts";
import { EnginePool, type PoolOptions } from "../../inference/pool.ts";
import { NOTHING } from "../../inference/want.ts";
import { modelConfigSchema } from "../../model/architecture.ts";
import { modelDims, type Weights } from "../../model/weights.ts";
import { FaultyWorkers, POISON } from "../support/faulty_workers.ts";
import { frameRows } from "../support/frame_rows.ts";
import { maxDifference } from "../support/golden.ts";
import { RING, ringHead } from "../support/heads.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { noise } from "../support/noise.ts";

/** With a head whose ring is saved as what was appended. */
const withRing = (weights: Weights): Weights => ({
  ...weights,
  heads: [ringHead({ dims: modelDims(weights.config).context })],
});
const tiny = withRing(randomWeights(tinyConfig, 41, "model"));
/** Wide enough for int8. */
const wide = withRing(randomWeights(
  modelConfigSchema.parse({
    ...tinyConfig,
    encoder: tinyConfig.encoder.map((layer) => ({ ...layer, channels: 256 })),
    context: { ...tinyConfig.context, hidden: 16 },
  }),
  42,
  "model",
));
const CONTEXT: Want = { ...NOTHING, context: true };
const KINDS: readonly { readonly priority: Priority; readonly want: Want }[] = [
  { priority: "live", want: CONTEXT },
  { priority: "live", want: { ...CONTEXT, score: [1, 3], heads: ["ring"] } },
  { priority: "file", want: { ...NOTHING, latent: true, prediction: [2], every: 3 } },
  { priority: "file", want: { ...CONTEXT, heads: ["ring"] } },
];

/** A pool whose workers can be broken, with what it said of them. */
async function withPool(
  options: Partial<PoolOptions> & { workers: number; maxStreams: number },
  use: (bench: {
    pool: EnginePool;
    workers: FaultyWorkers;
    events: string[];
    /** Resolves when something of this name happens next. */
    next: (event: string) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const workers = new FaultyWorkers();
  const events: string[] = [];
  const waiting = new Map<string, () => void>();
  const say = (event: string) => {
    events.push(event);
    waiting.get(event.split(" ")[0])?.();
  };
  const pool = await EnginePool.start({
    models: [tiny],
    engine: "onnx",
    device: "cpu",
    precision: "fp32",
    startWorker: workers.startWorker,
    events: {
      workerLost: ({ reason, streams }) => say(`lost ${reason} ${streams}`),
      workerRestarted: ({ reason }) => say(`back ${reason}`),
      restartFailed: ({ error, restartMs }) => say(`failed ${error.message} ${restartMs}`),
      streamMoved: () => say("moved"),
    },
    ...options,
  });
  const next = (event: string) => new Promise<void>((resolve) => waiting.set(event, resolve));
  try {
    await use({ pool, workers, events, next });
  } finally {
    await pool.close();
  }
}

/** A stream and what it reported. */
class Listener {
  readonly stream: EngineStream;
  readonly data: number[] = [];
  readonly frames: number[] = [];
  /** Of the head. */
  readonly rows: number[] = [];
  readonly sums: number[] = [];
  readonly errors: CpcError[] = [];
  readonly failed = Promise.withResolvers<CpcError>();

  constructor(pool: EnginePool, kind = KINDS[0]) {
    this.stream = pool.open({
      model: "model",
      ...kind,
      onFrames: (block) => {
        for (const [frame, row] of frameRows(block, pool.model().layout.dims)) {
          this.frames.push(frame);
          this.data.push(...row);
        }
        for (const { first, count, data } of block.heads ?? []) {
          this.rows.push(...Array.from({ length: count }, (_, i) => first + i));
          this.sums.push(...data);
        }
      },
      onError: (error) => {
        this.errors.push(error);
        this.failed.resolve(error);
      },
    });
  }

  push(samples: Float32Array): void {
    for (let at = 0; at < samples.length; at += 320) this.stream.push(samples.slice(at, at + 320));
  }
}

/** Streams of every kind hear the same twice; the second time `interrupt` comes in the middle. */
async function compareWithUnbroken(
  pool: EnginePool,
  { interrupt, tolerance }: { interrupt: () => Promise<void>; tolerance: number },
): Promise<void> {
  const hear = async (interrupt: () => Promise<void>) => {
    const listeners = KINDS.map((kind) => new Listener(pool, kind));
    listeners.forEach(({ stream }) => stream.push(noise(70_000, 1)));
    await Promise.all(listeners.map(({ stream }) => stream.drained())); // past a checkpoint
    listeners.forEach((listener, i) => listener.push(noise(4_000, 2 + i)));
    await interrupt();
    listeners.forEach((listener, i) => listener.push(noise(5_000, 12 + i)));
    const counts = await Promise.all(listeners.map(({ stream }) => stream.finish()));
    listeners.forEach(({ stream, errors }) => {
      stream.release();
      assert.deepEqual(errors, []);
    });
    return { listeners, counts };
  };
  const unbroken = await hear(() => Promise.resolve());
  const broken = await hear(interrupt);
  assert.deepEqual(broken.counts, unbroken.counts);
  for (const [i, { frames, data }] of unbroken.listeners.entries()) {
    const other = broken.listeners[i];
    assert.deepEqual(other.frames, frames);
    const numbers = (data: number[]) => data.filter((x) => !Number.isNaN(x));
    assert.equal(numbers(other.data).length, numbers(data).length);
    const difference = maxDifference(numbers(other.data), numbers(data));
    assert.ok(difference <= tolerance, `kind ${i}: ${difference}`);
    const { rows, sums } = unbroken.listeners[i];
    assert.deepEqual(other.rows, rows);
    assert.equal(rows.length, KINDS[i].want.heads ? unbroken.counts[i] : 0);
    const drift = maxDifference(other.sums, sums);
    assert.ok(drift <= RING.rows * tolerance, `kind ${i}, its head: ${drift}`);
  }
  assert.ok(unbroken.listeners[1].data.some((x) => x > 0 && !Number.isNaN(x)));
}

Deno.test("EnginePool: streams of a crashed worker go on elsewhere, unchanged", async () => {
  const options = { workers: 2, maxStreams: 8 };
  await withPool(options, async ({ pool, workers, events, next }) => {
    const back = next("back");
    await compareWithUnbroken(pool, {
      tolerance: 1e-4,
      interrupt: () => Promise.resolve(workers.break(0, "throw")),
    });
    assert.deepEqual(events.slice(0, 3), ["lost crashed 2", "moved", "moved"]);
    await back;
    assert.equal(pool.alive, 2);
    assert.equal(pool.streams, 0);
  });
});

Deno.test("EnginePool: in int8 the frames are the same to the bit", async () => {
  const options = { workers: 2, maxStreams: 8, models: [wide], precision: "int8" as const };
  await withPool(options, async ({ pool, workers, events }) => {
    await compareWithUnbroken(pool, {
      tolerance: 0,
      interrupt: () => Promise.resolve(workers.break(0, "throw")),
    });
    assert.equal(events.filter((event) => event === "moved").length, 2);
  });
});

Deno.test("EnginePool.look() finds a worker that hangs; its streams go on elsewhere", async () => {
  await withPool({ workers: 2, maxStreams: 10 }, async ({ pool, workers, events }) => {
    const healthy = [new Listener(pool), new Listener(pool)];
    await compareWithUnbroken(pool, {
      tolerance: 1e-4,
      async interrupt() {
        workers.break(1, "hang");
        while (events.length === 0) {
          pool.look();
          await healthy[0].stream.drained(); // the other worker has its time to answer
        }
      },
    });
    assert.equal(events[0], "lost hung 3");
    assert.equal(events.filter((event) => event === "moved").length, 3);
    assert.deepEqual(healthy[0].errors, []);
    for (const { stream } of healthy) stream.release();
  });
});

Deno.test("EnginePool: without a worker nobody new is let in; the others wait", async () => {
  await withPool({ workers: 1, maxStreams: 8 }, async ({ pool, workers, events, next }) => {
    await compareWithUnbroken(pool, {
      tolerance: 1e-4,
      async interrupt() {
        const lost = next("lost");
        workers.break(0, "throw");
        await lost;
        assert.equal(pool.alive, 0);
        assert.equal(pool.streams, KINDS.length);
        assert.throws(
          () => new Listener(pool),
          (error) => error instanceof CpcError && error.code === "loading",
        );
      },
    });
    assert.deepEqual(events.slice(0, 2), ["lost crashed 4", "back crashed"]);
    assert.equal(pool.alive, 1);
  });
});

Deno.test("EnginePool: what keeps breaking its workers fails alone", async () => {
  let nowMs = 0;
  const options = { workers: 2, maxStreams: 4, nowMs: () => nowMs += 100 };
  await withPool(options, async ({ pool, events }) => {
    const [good, bad] = [new Listener(pool), new Listener(pool)];
    good.push(noise(2000, 1));
    bad.stream.push(new Float32Array(400).fill(POISON));
    const error = await bad.failed.promise;
    assert.equal(error.code, "model_failed");
    assert.equal(events.filter((event) => event.startsWith("lost")).length, 4);
    good.push(noise(2000, 2));
    assert.equal(await good.stream.finish(), 25);
    assert.deepEqual(good.errors, []);
    good.stream.release();
  });
});

Deno.test("EnginePool: a worker that cannot start is tried again, later each time", async () => {
  let nowMs = 0;
  const honest = new FaultyWorkers();
  let broken = false;
  const startWorker = () => {
    if (broken) throw new CpcError("overloaded", "no threads");
    return honest.startWorker();
  };
  const options = { workers: 1, maxStreams: 2, startWorker, nowMs: () => nowMs };
  await withPool(options, async ({ pool, events, next }) => {
    const { stream, errors } = new Listener(pool);
    const drained = stream.drained();
    await drained;
    broken = true;
    const lost = next("failed");
    honest.break(0, "throw");
    await lost;
    const starts = () => events.filter((event) => event.startsWith("failed"));
    assert.deepEqual(starts(), ["failed no threads 1000"]);
    const finished = assert.rejects(stream.finish(), { code: "model_failed" });
    const at: number[] = [];
    for (; nowMs < 40_000; nowMs += 500) {
      const before = starts().length;
      pool.look();
      if (starts().length > before) at.push(nowMs);
      if (nowMs < 30_000) assert.deepEqual(errors, []);
    }
    assert.deepEqual(at, [1000, 3000, 7000, 15_000, 31_000]);
    await finished;
    assert.deepEqual(errors.map(({ code }) => code), ["model_failed"]);
    broken = false;
    nowMs += 30_000;
    const back = next("back");
    pool.look();
    await back;
    assert.equal(pool.alive, 1);
  });
});

Deno.test("EnginePool: a worker that fails stream after stream is replaced", async () => {
  await withPool({ workers: 1, maxStreams: 2 }, async ({ pool, workers, events }) => {
    const { stream, frames, errors } = new Listener(pool);
    stream.push(noise(2000, 1));
    await stream.drained();
    workers.break(0, "sicken");
    stream.push(noise(2000, 2));
    assert.equal(await stream.finish(), 25);
    assert.deepEqual(errors, []);
    assert.deepEqual(frames, Array.from({ length: 25 }, (_, f) => f));
    assert.deepEqual(events, ["moved", "moved", "lost failing 0", "back failing", "moved"]);
    stream.release();
  });
});

Deno.test("EnginePool: a worker that fails three in a row ends; its streams go on", async () => {
  await withPool({ workers: 2, maxStreams: 12 }, async ({ pool, workers, events, next }) => {
    const back = next("back");
    const others = [new Listener(pool), new Listener(pool)];
    await compareWithUnbroken(pool, {
      tolerance: 1e-4,
      interrupt: () => Promise.resolve(workers.break(0, "sicken")),
    });
    await back;
    const losses = events.filter((event) => /^(lost|back)/.test(event));
    assert.equal(losses.length, 2, String(events));
    assert.match(losses[0], /^lost failing \d$/);
    assert.deepEqual(events.slice(0, 2), ["moved", "moved"]);
    assert.match(events[2], /^lost/);
    assert.deepEqual([workers.threads.length, pool.alive], [3, 2]);
    for (const { stream, errors } of others) {
      assert.deepEqual(errors, []);
      stream.release();
    }
    assert.equal(pool.streams, 0);
  });
});

Deno.test("EnginePool: a worker that takes steps between failures stays", async () => {
  let nowMs = 0;
  const options = { workers: 1, maxStreams: 2, nowMs: () => nowMs };
  await withPool(options, async ({ pool, workers, events }) => {
    const { stream, errors } = new Listener(pool);
    for (let i = 0; i < 3; i++) {
      workers.break(0, "sicken", 2);
      stream.push(noise(2000, i));
      await stream.drained();
      nowMs += 61_000; // the stream's own losses are counted within a minute
    }
    assert.equal(await stream.finish(), 37);
    assert.deepEqual([errors, events], [[], Array(6).fill("moved")]);
    stream.release();
  });
});
