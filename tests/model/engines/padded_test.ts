import assert from "node:assert/strict";
import type { Engine, StepInput } from "../../../model/engine.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { PaddedEngine, paddedOnCard } from "../../../model/engines/padded.ts";
import { maxDifference } from "../../support/golden.ts";
import { randomWeights, tinyConfig } from "../../support/models.ts";
import { random } from "../../support/stream.ts";

const create = () =>
  createEngine("onnx", randomWeights(tinyConfig), {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });

/** An engine that notes how many streams and rows it is asked for. */
function noting(engine: Engine): { engine: Engine; asked: number[] } {
  const asked: number[] = [];
  const noted: Engine = {
    kind: engine.kind,
    backend: engine.backend,
    device: engine.device,
    precision: engine.precision,
    layout: engine.layout,
    maxRows: engine.maxRows,
    step(input) {
      asked.push(input.streams);
      return engine.step(input);
    },
    predict(hidden) {
      asked.push(hidden.length / engine.layout.dims.context);
      return engine.predict(hidden);
    },
    dispose: () => engine.dispose(),
  };
  return { engine: noted, asked };
}

function inputOf({ layout }: Engine, streams: number, hops: number): StepInput {
  const next = random(streams);
  const noise = (length: number) => Float32Array.from({ length }, () => next() - 0.5);
  return {
    streams,
    hops,
    samples: noise(streams * hops * layout.plan.hopSamples),
    state: noise(streams * layout.stateFloats),
    masks: layout.plan.convs.map(({ rowsPerHop }) =>
      new Float32Array(streams * hops * rowsPerHop).fill(1)
    ),
  };
}

/** The first streams of a step. */
function firstOf({ streams, hops, samples, state, masks }: StepInput, count: number): StepInput {
  const first = (data: Float32Array) => data.slice(0, data.length / streams * count);
  return {
    streams: count,
    hops,
    samples: first(samples),
    state: first(state),
    masks: masks.map(first),
  };
}

Deno.test("PaddedEngine.step() takes 1, 2, 4, … streams, and gives exact rows", async () => {
  const plain = await create();
  const { engine, asked } = noting(plain);
  const padded = new PaddedEngine(engine);
  const shapes = [[5, 8, 2], [1, 1, 1], [3, 4, 1], [8, 8, 1], [7, 8, 1], [6, 8, 2]];
  for (const [streams, rows, hops] of shapes) {
    const whole = inputOf(plain, rows, hops);
    const input = firstOf(whole, streams);
    for (const data of [whole.samples, whole.state, ...whole.masks]) {
      data.fill(0, data.length / rows * streams); // the others are silent
    }
    const wanted = structuredClone(await plain.step(whole));
    const { latent, context, hidden, state } = await padded.step(input);
    for (const [name, got] of Object.entries({ latent, context, hidden, state })) {
      const all = wanted[name as keyof typeof wanted];
      assert.deepEqual(got, all.slice(0, all.length / rows * streams), `${name} of ${streams}`);
    }
    assert.deepEqual(input, firstOf(whole, streams), "the input was changed");
  }
  assert.deepEqual(asked, shapes.map(([, rows]) => rows));
  await plain.dispose();
});

Deno.test("PaddedEngine.predict() asks for 1, 2, 4, … rows, and gives its own", async () => {
  const plain = await create();
  const { engine, asked } = noting(plain);
  const padded = new PaddedEngine(engine);
  for (const rows of [3, 4, 1]) {
    const hidden = inputOf(plain, rows, 1).state.slice(0, rows * plain.layout.dims.context);
    const wanted = (await plain.predict(hidden)).slice();
    assert.ok(maxDifference(await padded.predict(hidden), wanted) <= 1e-6);
  }
  assert.deepEqual(asked, [4, 4, 1]);
  await plain.dispose();
});

Deno.test("paddedOnCard() pads on cards alone", async () => {
  const engine = await create();
  assert.equal(paddedOnCard(engine), engine);
  for (const device of ["webgpu", "cuda"]) {
    const padded = paddedOnCard({ ...noting(engine).engine, device });
    assert.ok(padded instanceof PaddedEngine);
    assert.equal(padded.device, device);
  }
  await engine.dispose();
});
