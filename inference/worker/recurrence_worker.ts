/** The entry point of the thread that runs context networks alone. */
import { OnnxRecurrence } from "../../model/engines/onnx_recurrence.ts";
import type { Weights } from "../../model/weights.ts";
import type { FromRecurrence, ToRecurrence } from "../recurrence.ts";

declare const self: {
  onmessage: ((event: MessageEvent<ToRecurrence>) => void) | null;
  postMessage(message: FromRecurrence, transfer?: Transferable[]): void;
  close(): void;
};

let models: ReadonlyMap<string, Weights> = new Map();
const networks = new Map<string, OnnxRecurrence>();
let working: Promise<void> = Promise.resolve();

self.onmessage = ({ data: message }) => {
  if (message.type === "load") working = working.then(() => load(message.models));
  else working = working.then(() => message.type === "run" ? run(message) : close());
};

async function run(
  { id, model, latent, state }: Extract<ToRecurrence, { type: "run" }>,
): Promise<void> {
  try {
    const network = networks.get(model) ?? await create(model);
    const next = await network.run(latent, state);
    const transfer = [latent.buffer, next.context.buffer, next.state.buffer];
    self.postMessage({ type: "done", id, latent, ...next }, transfer);
  } catch (error) {
    self.postMessage({ type: "failed", id, message: String(error) });
  }
}

/** Takes the models in place of those so far. */
async function load(given: readonly Weights[]): Promise<void> {
  models = new Map(given.map((model) => [model.id, model]));
  for (const [id, network] of [...networks]) {
    if (models.has(id)) continue;
    networks.delete(id);
    await network.dispose();
  }
}

async function create(model: string): Promise<OnnxRecurrence> {
  const weights = models.get(model);
  if (!weights) throw new TypeError(`no model ${model} in this thread`);
  const network = await OnnxRecurrence.create(weights);
  networks.set(model, network);
  return network;
}

async function close(): Promise<void> {
  for (const network of networks.values()) await network.dispose();
  self.postMessage({ type: "closed" });
  self.close();
}
