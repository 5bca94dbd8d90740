/**
 * What the bare step allows: MODEL PRECISION STREAMS SECONDS. Streams speak in real time, as those
 * of the load generator do, but their messages come out of nowhere and nothing is made of the
 * results. Prints the latencies as a {@linkcode PacedReport}.
 */
import { createEngine } from "../../model/engines/create.ts";
import type { Precision } from "../../model/engine.ts";
import { MODEL_SAMPLE_RATE } from "../../model/architecture.ts";
import { loadWeights } from "../../model/weights.ts";
import { MESSAGE_MS, WARM_UP_MESSAGES } from "../real_time.ts";
import type { PacedReport } from "../paced_worker.ts";
import { stepInput } from "../step.ts";

/** Most messages of a stream that a step takes: with them, it has 16 hops. */
const MOST_MESSAGES = 8;

/** Steps on demand, by a number of streams and of messages of each. */
async function stepper(model: string, precision: Precision) {
  const options = { device: "cpu", precision, threads: 1 } as const;
  const engine = await createEngine("onnx", await loadWeights(model), options);
  const hops = MESSAGE_MS / 1000 * MODEL_SAMPLE_RATE / engine.layout.plan.hopSamples;
  if (!Number.isInteger(hops)) throw new Error(`${MESSAGE_MS} ms are ${hops} hops of this model`);
  const inputs = new Map<string, ReturnType<typeof stepInput>>();
  return async (streams: number, messages: number) => {
    const kind = `${streams} ${messages}`;
    const input = inputs.get(kind) ??
      stepInput(engine.layout, { streams, hops: messages * hops });
    inputs.set(kind, input);
    await engine.step(input);
  };
}

/** Takes steps of all who wait, the same number of messages of each, until all have spoken. */
async function speak(
  step: (streams: number, messages: number) => Promise<void>,
  { streams, seconds }: { streams: number; seconds: number },
): Promise<PacedReport> {
  for (let n = 1; n <= streams; n++) await step(n, 1); // buffers are made
  const total = WARM_UP_MESSAGES + seconds * 1000 / MESSAGE_MS;
  const taken = new Array<number>(streams).fill(0);
  const latenciesMs: number[] = [];
  const startMs = performance.now() + MESSAGE_MS;
  const sentMs = (stream: number, n: number) => startMs + (stream / streams + n) * MESSAGE_MS;
  while (taken.some((messages) => messages < total)) {
    const nowMs = performance.now();
    const spoken = taken.map((_, stream) =>
      Math.min(total, Math.floor((nowMs - sentMs(stream, 0)) / MESSAGE_MS) + 1)
    );
    const waiting = [...taken.keys()].filter((stream) => spoken[stream] > taken[stream]);
    if (waiting.length === 0) {
      const nextMs = Math.min(...taken.map((n, s) => n < total ? sentMs(s, n) : Infinity));
      await new Promise((resolve) => setTimeout(resolve, nextMs - nowMs));
      continue;
    }
    const messages = Math.min(MOST_MESSAGES, ...waiting.map((s) => spoken[s] - taken[s]));
    await step(waiting.length, messages);
    const doneMs = performance.now();
    for (const stream of waiting) {
      for (let n = 0; n < messages; n++) {
        const message = taken[stream]++;
        if (message >= WARM_UP_MESSAGES) latenciesMs.push(doneMs - sentMs(stream, message));
      }
    }
  }
  return { latenciesMs, lagsMs: [0], owed: 0, messages: streams * total, ended: [] };
}

const [model, precision, streams, seconds] = Deno.args;
const step = await stepper(model, precision as Precision);
console.log(
  JSON.stringify(await speak(step, { streams: Number(streams), seconds: Number(seconds) })),
);
