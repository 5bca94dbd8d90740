/** What every engine must do, whatever computes it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Engine, type EngineKind } from "../../../model/engine.ts";
import { minimumSamples } from "../../../model/architecture.ts";
import { referenceForward, referencePredictions } from "../../../model/reference.ts";
import type { Weights } from "../../../model/weights.ts";
import { goldenDifferences } from "../../../conformance/check.ts";
import { caseWeights, featureCases, maxDifference } from "../../support/golden.ts";
import { anyConfig, randomWeights, tinyConfig } from "../../support/models.ts";
import { random, stepTogether, streamWhole, TestStream } from "../../support/stream.ts";
import { createEngine } from "../../../model/engines/create.ts";

/** The engine under test and how near to the truth it must be. */
export interface ConformanceOptions {
  readonly kind: EngineKind;
  readonly device: string;
  /** Largest |Δ| against PyTorch and the reference. */
  readonly tolerance: number;
  /** How many random architectures are tried. */
  readonly runs: number;
  /** Which fixtures are streamed; default all. */
  readonly fixtures?: RegExp;
}

/** Defines the suite for one engine on one device. */
export function engineConformance(
  { kind, device, tolerance, runs, fixtures = /./ }: ConformanceOptions,
): void {
  const name = `${kind} on ${device}`;
  async function withEngine(
    weights: Weights,
    use: (engine: Engine) => Promise<void>,
  ): Promise<void> {
    const engine = await createEngine(kind, weights, { device, precision: "fp32", threads: 1 });
    try {
      await use(engine);
    } finally {
      await engine.dispose();
    }
  }
  const near = (
    what: string,
    got: ArrayLike<number>,
    wanted: ArrayLike<number>,
    bound = tolerance,
  ) => {
    const difference = maxDifference(got, wanted);
    assert.ok(difference <= bound, `${what}: |Δ| ${difference} > ${bound}`);
  };

  for (const golden of featureCases().filter(({ name }) => fixtures.test(name))) {
    Deno.test(`${name}: streams ${golden.name} as PyTorch computes it whole`, async () => {
      await withEngine(await caseWeights(golden.model), async (engine) => {
        const next = random(golden.samples);
        const chunks = Array.from({ length: 50 }, () => 1 + Math.floor(next() ** 3 * 4000));
        const { name: _, frames: __, ...differences } = await goldenDifferences(
          engine,
          golden,
          chunks,
        );
        assert.equal("prediction" in differences, engine.layout.dims.steps > 0);
        for (const [output, difference] of Object.entries(differences)) {
          assert.ok(difference <= tolerance, `${output}: |Δ| ${difference} > ${tolerance}`);
        }
      });
    });
  }

  Deno.test(`${name}: any architecture, any chunking equals the reference`, async () => {
    await fc.assert(
      fc.asyncProperty(
        anyConfig,
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 12 }),
        fc.nat(1000),
        async (config, chunks, seed) => {
          const weights = randomWeights(config, seed);
          const next = random(seed);
          const samples = Float32Array.from(
            { length: minimumSamples(config) + seed % 300 },
            () => next() * 2 - 1,
          );
          const truth = referenceForward(weights, samples);
          await withEngine(weights, async (engine) => {
            const features = await streamWhole(engine, samples, chunks);
            assert.equal(features.frames, truth.latent.frames);
            // random weights may amplify
            const scale = truth.latent.data.reduce((max, x) => Math.max(max, Math.abs(x)), 1);
            near("latent", features.latent, truth.latent.data, tolerance * scale);
            near("context", features.context, truth.context.data, tolerance * scale);
            const predictions = await engine.predict(Float32Array.from(features.hidden));
            near(
              "prediction",
              predictions,
              referencePredictions(weights, truth.hidden).data,
              tolerance * scale,
            );
          });
        },
      ),
      { numRuns: runs, seed: 20 },
    );
  });

  Deno.test(`${name}: streams interleaved at random are what they are alone`, async () => {
    const weights = randomWeights(tinyConfig, 3);
    await withEngine(weights, async (engine) => {
      const next = random(7);
      const signals = Array.from(
        { length: 6 },
        (_, i) => Float32Array.from({ length: 800 + 531 * i }, () => next() * 2 - 1),
      );
      const streams = signals.map(() => new TestStream(engine));
      const sent = signals.map(() => 0);
      while (streams.some((stream) => !stream.queue.finished || stream.queue.hopsReady > 0)) {
        streams.forEach(({ queue }, i) => {
          const length = Math.floor(next() * 700);
          if (sent[i] < signals[i].length) queue.push(signals[i].slice(sent[i], sent[i] += length));
          else if (!queue.finished) queue.finish();
        });
        const ready = streams.filter(({ queue }) => queue.hopsReady > 0 && next() < 0.7);
        if (ready.length === 0) continue;
        const hops = ready.some(({ queue }) => queue.young)
          ? 1
          : Math.min(...ready.map(({ queue }) => queue.hopsReady));
        await stepTogether(engine, ready, hops);
      }
      for (const [i, signal] of signals.entries()) {
        const truth = referenceForward(weights, signal);
        near(`latent of ${i}`, streams[i].latent, truth.latent.data);
        near(`context of ${i}`, streams[i].context, truth.context.data);
      }
    });
  });

  Deno.test(`${name}: what comes later never changes an earlier frame`, async () => {
    await withEngine(randomWeights(tinyConfig, 5), async (engine) => {
      const next = random(11);
      const samples = Float32Array.from({ length: 5000 }, () => next() * 2 - 1);
      const other = samples.map((x, i) => i < 2000 ? x : -x);
      const [a, b] = [await streamWhole(engine, samples), await streamWhole(engine, other)];
      const frames =
        Math.floor((2000 - engine.layout.plan.lookaheadSamples) / engine.layout.plan.hopSamples) +
        1;
      const width = engine.layout.dims.context;
      near(
        "frames before the change",
        a.context.slice(0, frames * width),
        b.context.slice(0, frames * width),
        0,
      );
      assert.notDeepEqual(a.context.slice(frames * width), b.context.slice(frames * width));
    });
  });

  Deno.test(`${name}: predict() without predictors is refused`, async () => {
    await withEngine(randomWeights({ ...tinyConfig, predictors: null }), async (engine) => {
      await assert.rejects(
        engine.predict(new Float32Array(engine.layout.dims.context)),
        /no predictors/,
      );
    });
  });
}
