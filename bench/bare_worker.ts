/** A thread that takes steps and does nothing else. */
import { createEngine } from "../model/engines/create.ts";
import { loadWeights } from "../model/weights.ts";
import { rateOf, stepInput } from "./step.ts";

/** To the thread, once. */
export interface ToBare {
  /** A weights folder. */
  readonly model: string;
  readonly streams: number;
  readonly hops: number;
  readonly roundMs: number;
}

/** From the thread: `ready` when it can begin, then for each `go` its audio seconds a second. */
export type FromBare = "ready" | number;

declare const self: {
  onmessage: ((event: MessageEvent<ToBare | "go">) => void) | null;
  postMessage(message: FromBare): void;
};

let measure: () => Promise<number>;

self.onmessage = async ({ data: message }) => {
  if (message === "go") {
    self.postMessage(await measure());
    return;
  }
  const { model, streams, hops, roundMs } = message;
  const options = { device: "cpu", precision: "fp32", threads: 1 } as const;
  const engine = await createEngine("onnx", await loadWeights(model), options);
  const input = stepInput(engine.layout, { streams, hops });
  await rateOf(engine, input, 0); // fills caches
  measure = () => rateOf(engine, input, roundMs);
  self.postMessage("ready");
};
