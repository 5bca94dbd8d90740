/**
 * How many dialogues a core holds: voice activity projection in the worker's step loop, from audio
 * to probabilities, beside MaAI's own loop where Python has it.
 */
import { StepLoop } from "../inference/worker/step_loop.ts";
import { CPC_CONVOLUTIONS } from "../model/checkpoints/parts.ts";
import { modelConfigSchema } from "../model/architecture.ts";
import { createEngine } from "../model/engines/create.ts";
import { OnnxHead } from "../model/engines/onnx_head.ts";
import { headSpecSchema } from "../model/heads/spec.ts";
import { elementCount, type Tensor } from "../model/safetensors.ts";
import { seeded } from "../model/seeded.ts";
import { vapGraph } from "../model/vap/graph.ts";
import { headJson } from "../model/vap/head.ts";
import { type VapSizes, vapTensors } from "../model/vap/network.ts";
import { windowRowsOf } from "../model/vap/rate.ts";
import { expectedTensors, modelDims, type Weights } from "../model/weights.ts";
import { median } from "./statistics.ts";

/** MaAI's sizes, at 10 Hz. */
export const MAAI_SIZES: VapSizes = {
  channels: 2,
  features: 256,
  width: 256,
  heads: 4,
  inner: 768,
  every: 10,
  channelLayers: 1,
  jointLayers: 3,
};

const RATE = 16_000;
/** Audio of one message. */
const MESSAGE_S = 0.02;

/** One row of the table. */
export interface VapRow {
  readonly dialogues: number;
  /** Busy time of the thread for a second of every dialogue. */
  readonly busyMs: number;
  /** Dialogues that one core holds at this rate. */
  readonly perCore: number;
}

/**
 * Measures on one thread. Audio comes in messages of 20 ms, the dialogues' phases spread over the
 * time of a row, with every window filled before.
 *
 * @param options `dialogues`: numbers of them; `windowSeconds`: of attention; `seconds`: measured
 */
export async function benchVap(
  { dialogues: sizes, seconds, windowSeconds, network = MAAI_SIZES }: {
    dialogues: readonly number[];
    seconds: number;
    windowSeconds: number;
    network?: VapSizes;
  },
): Promise<VapRow[]> {
  const weights = randomCpc(network);
  const dims = modelDims(weights.config);
  const options = { device: "cpu", precision: "fp32", threads: 1 } as const;
  const engine = await createEngine("onnx", weights, options);
  const head = await OnnxHead.create(randomHead(network, windowSeconds), { dims });
  const rows: VapRow[] = [];
  try {
    for (const dialogues of sizes) {
      const loop = new StepLoop(new Map([[weights.id, engine]]), {
        heads: new Map([[weights.id, new Map([[head.name, head]])]]),
        reports: {
          step() {},
          reached() {},
          failed: (_, error) => {
            throw error;
          },
        },
      });
      const busyMs = await run(loop, { dialogues, seconds, windowSeconds, network, weights });
      rows.push({ dialogues, busyMs, perCore: 1000 * dialogues / busyMs });
    }
  } finally {
    await head.dispose();
    await engine.dispose();
  }
  return rows;
}

/** Milliseconds that the loop is busy for a second of audio: the median of the seconds. */
async function run(
  loop: StepLoop,
  { dialogues, seconds, windowSeconds, network, weights }: {
    dialogues: number;
    seconds: number;
    windowSeconds: number;
    network: VapSizes;
    weights: Weights;
  },
): Promise<number> {
  const { channels, every } = network;
  const next = seeded(3);
  const noise = (seconds: number) => {
    const length = channels * Math.round(seconds * RATE);
    return Float32Array.from({ length }, () => (next() - 0.5) / 5);
  };
  const leases = Array.from({ length: dialogues }, (_, index) => ({ index, generation: 0 }));
  for (const [i, lease] of leases.entries()) {
    loop.handle({
      type: "open",
      lease,
      model: weights.id,
      channels,
      priority: "live",
      want: {
        context: false,
        latent: false,
        prediction: [],
        score: [],
        every: 1,
        heads: ["vap"],
      },
      checkpointHops: 0,
    });
    // as long as the window, and a part of a row more
    const ahead = windowSeconds + every * 0.01 * i / dialogues;
    loop.handle({ type: "audio", lease, samples: noise(ahead) });
  }
  while (await loop.step());
  const times: number[] = [];
  for (let second = 0; second < seconds; second++) {
    let busyMs = 0;
    for (let at = 0; at < 1 / MESSAGE_S; at++) {
      for (const lease of leases) {
        loop.handle({ type: "audio", lease, samples: noise(MESSAGE_S) });
      }
      const started = performance.now();
      while (await loop.step());
      busyMs += performance.now() - started;
    }
    times.push(busyMs);
  }
  return median(times);
}

/** Small random numbers of some shapes. */
function randomTensors(shapes: Iterable<readonly [string, readonly number[]]>) {
  const next = seeded(1);
  return new Map(Array.from(shapes, ([name, shape]): [string, Tensor] => {
    const scale = 1 / Math.sqrt(elementCount(shape.slice(1)) || 1);
    const data = Float32Array.from(
      { length: elementCount(shape) },
      () => name.endsWith(".m") ? 0.1 : 2 * scale * (next() - 0.5),
    );
    return [name, { shape, data }];
  }));
}

/** A CPC network of CPC_audio's kind. */
function randomCpc({ features }: VapSizes): Weights {
  const config = modelConfigSchema.parse({
    sample_rate: RATE,
    encoder: CPC_CONVOLUTIONS.map((conv) => ({ ...conv, channels: features, norm: "channel" })),
    context: { type: "lstm", hidden: features, layers: 1 },
    predictors: null,
  });
  const shapes = Array.from(expectedTensors(config), ([name, { shape }]) => [name, shape] as const);
  return { id: "cpc", config, tensors: randomTensors(shapes) };
}

function randomHead(sizes: VapSizes, windowSeconds: number) {
  const windowRows = windowRowsOf(sizes, windowSeconds);
  const spec = headSpecSchema.parse(headJson(sizes, { windowRows, features: "0".repeat(64) }));
  const network = { sizes, tensors: randomTensors(vapTensors(sizes)) };
  return { name: "vap", spec, graph: vapGraph(network, { windowRows }), folder: "vap" };
}
