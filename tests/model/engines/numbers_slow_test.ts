import assert from "node:assert/strict";
import { stepTogether, TestStream } from "../../../conformance/drive.ts";
import type { Engine } from "../../../model/engine.ts";
import { createEngine } from "../../../model/engines/create.ts";
import { referenceForward } from "../../../model/reference.ts";
import { seeded } from "../../../model/seeded.ts";
import { loadWeights, tensorOf } from "../../../model/weights.ts";

/**
 * Hours of audio take minutes: `CPC_LONG_STREAMS=3` asks for streams of so many hours. Without it
 * the same checks run over ten seconds.
 */
const HOURS = Number(Deno.env.get("CPC_LONG_STREAMS") ?? 0);
const SECONDS = HOURS > 0 ? HOURS * 3600 : 10;
const RATE = 16_000;
const FRAMES_PER_S = 100;
/** Frames that are compared, at the end of a stream. */
const COMPARED = 90;
const TOLERANCE = 1e-4;
/** The context network has cells that hardly forget, where rounding adds up over hours. */
const LONG_TOLERANCE = HOURS > 0 ? 1e-3 : TOLERANCE;

const weights = await loadWeights("weights/cpc-small");

async function withEngine(use: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await createEngine("onnx", weights, {
    device: "cpu",
    precision: "fp32",
    threads: 1,
  });
  try {
    await use(engine);
  } finally {
    await engine.dispose();
  }
}

/** A second of noise. */
function noise(seed: number, amplitude: number): Float32Array<ArrayBuffer> {
  const random = seeded(seed);
  return Float32Array.from({ length: RATE }, () => (random() * 2 - 1) * amplitude);
}

/**
 * Streams a second `times` times, then another one. The last contexts, those of frames that are
 * complete without an end.
 */
async function streamed(
  engine: Engine,
  { second, times, last }: {
    second: Float32Array<ArrayBuffer>;
    times: number;
    last: Float32Array<ArrayBuffer>;
  },
): Promise<number[]> {
  const stream = new TestStream(engine);
  const kept = COMPARED * engine.layout.dims.context;
  for (let i = 0; i <= times; i++) {
    stream.queue.push((i < times ? second : last).slice());
    await stream.drain();
    for (const rows of [stream.latent, stream.hidden]) rows.length = 0; // hours do not fit
    stream.context.splice(0, stream.context.length - kept);
  }
  return stream.context;
}

/**
 * The same contexts offline, in float64. Latents depend on 29 ms of audio: the reference's encoder
 * over three repetitions tells those of any number, and the GRU runs over all of them.
 */
function offline(
  { second, times, last }: {
    second: Float32Array<ArrayBuffer>;
    times: number;
    last: Float32Array<ArrayBuffer>;
  },
): Float64Array {
  const few = Float32Array.from([second, second, second, last].flatMap((part) => [...part]));
  const { latent } = referenceForward(weights, few);
  const latentAt = (frame: number) => {
    const left = frame - (times - 3) * FRAMES_PER_S;
    if (frame < FRAMES_PER_S) return frame; // the first second has padding before it
    return left < 2 * FRAMES_PER_S ? FRAMES_PER_S + frame % FRAMES_PER_S : left;
  };
  const [inner, recurrent, innerBias, recurrentBias] = [
    "weight_ih_l0",
    "weight_hh_l0",
    "bias_ih_l0",
    "bias_hh_l0",
  ].map((name) => Float64Array.from(tensorOf(weights, `context.${name}`).data));
  const H = recurrentBias.length / 3;
  const Z = latent.width;
  // [frames of the few, 3H]: the input's part of the gates r, z, n
  const inputs = Float64Array.from({ length: latent.frames * 3 * H }, (_, i) => {
    const [t, j] = [Math.floor(i / (3 * H)), i % (3 * H)];
    let sum = innerBias[j];
    for (let k = 0; k < Z; k++) sum += inner[j * Z + k] * latent.data[t * Z + k];
    return sum;
  });
  const frames = (times + 1) * FRAMES_PER_S - 1; // complete without an end: exactFrames
  const out = new Float64Array(COMPARED * H);
  const gates = new Float64Array(3 * H);
  let hidden = new Float64Array(H);
  let next = new Float64Array(H);
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  for (let frame = 0; frame < frames; frame++) {
    const input = latentAt(frame) * 3 * H;
    for (let j = 0; j < 3 * H; j++) {
      let sum = recurrentBias[j];
      for (let k = 0, at = j * H; k < H; k++) sum += recurrent[at + k] * hidden[k];
      gates[j] = sum;
    }
    for (let j = 0; j < H; j++) {
      const r = sigmoid(inputs[input + j] + gates[j]);
      const z = sigmoid(inputs[input + H + j] + gates[H + j]);
      const n = Math.tanh(inputs[input + 2 * H + j] + r * gates[2 * H + j]);
      next[j] = (1 - z) * n + z * hidden[j];
    }
    [hidden, next] = [next, hidden];
    const row = frame - (frames - COMPARED);
    if (row >= 0) out.set(hidden, row * H);
  }
  return out;
}

function differenceOf(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
  }
  return most;
}

Deno.test("onnx: speech after a long silence is offline's", async () => {
  await withEngine(async (engine) => {
    const signal = { second: new Float32Array(RATE), times: SECONDS, last: noise(1, 0.3) };
    const drift = differenceOf(await streamed(engine, signal), offline(signal));
    if (HOURS > 0) console.log(`after ${SECONDS} s of silence: off by ${drift}`);
    assert.ok(drift <= LONG_TOLERANCE, `off by ${drift} after ${SECONDS} s`);
  });
});

Deno.test("onnx: features of a long stream do not drift from offline", async () => {
  await withEngine(async (engine) => {
    const second = noise(2, 0.3);
    const signal = { second, times: SECONDS, last: second };
    const drift = differenceOf(await streamed(engine, signal), offline(signal));
    if (HOURS > 0) console.log(`after ${SECONDS} s: off by ${drift}`);
    assert.ok(drift <= LONG_TOLERANCE, `off by ${drift} after ${SECONDS} s`);
  });
});

Deno.test("onnx: clipped audio, and audio far beyond full scale, is exact", async () => {
  await withEngine(async (engine) => {
    for (const [amplitude, tolerance] of [[8, TOLERANCE], [1000, 1e-3]]) {
      const loud = noise(3, amplitude);
      for (const last of [loud.map((x) => Math.max(-1, Math.min(1, x))), loud]) {
        const heard = await streamed(engine, { second: last, times: 0, last });
        const { context } = referenceForward(weights, last);
        const C = context.width; // the last frame needs the end
        const truth = context.data.slice(-(COMPARED + 1) * C, -C);
        const difference = differenceOf(heard, truth);
        assert.ok(difference <= tolerance, `at ${amplitude}: off by ${difference}`);
      }
    }
  });
});

Deno.test("onnx: a stream of 1e38 changes no number of its neighbour", async () => {
  await withEngine(async (engine) => {
    const speech = noise(4, 0.3).subarray(0, 8000);
    const contexts: number[][] = [];
    for (const neighbour of [1e38, 0]) {
      const streams = [new TestStream(engine), new TestStream(engine)];
      streams[0].queue.push(new Float32Array(speech.length).fill(neighbour));
      streams[1].queue.push(speech.slice());
      while (streams[1].queue.hopsReady > 0) await stepTogether(engine, streams, 1);
      contexts.push(streams[1].context);
    }
    assert.ok(contexts[0].length > 0 && contexts[0].every(Number.isFinite));
    assert.equal(differenceOf(contexts[0], contexts[1]), 0);
  });
});
