/**
 * A model worker's thread: loads one engine per model, then runs one loop. Engines block their
 * thread, so they live here and not beside the sockets.
 */
import { type ErrorCode, toCpcError } from "../../errors.ts";
import type { Engine } from "../../model/engine.ts";
import { createEngine } from "../../model/engines/create.ts";
import { OnnxHead } from "../../model/engines/onnx_head.ts";
import type { Weights } from "../../model/weights.ts";
import {
  type FromWorker,
  handedOver,
  type HeadBlock,
  type Lease,
  type ModelCosts,
  type StepResult,
  type StepTiming,
  type ToWorker,
} from "../messages.ts";
import { listen } from "../listen.ts";
import { ResultPacker } from "../step_results.ts";
import { HeadFailure } from "./heads/step_heads.ts";
import { POLICY, type Policy } from "./scheduler.ts";
import { StepLoop } from "./step_loop.ts";
import { warmUp } from "./warm_up.ts";

declare const self: DedicatedWorkerGlobalScope & { close(): void };
interface DedicatedWorkerGlobalScope {
  onmessage: ((event: MessageEvent<readonly ToWorker[]>) => void) | null;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
}

const engines = new Map<string, Engine>();
const heads = new Map<string, Map<string, OnnxHead>>();
let loop: StepLoop | undefined;
/** Makes an engine of the kind that was asked for. */
let create: ((weights: Weights) => Promise<Engine>) | undefined;
let running = false;
let closing = false;
let asked = false; // whether it still answers
/** With `--profile`: how long it took to post the last step; the next one tells. */
let postMs: number | undefined;

/** How many posts there were to this thread, and how many have come. */
let posted: Int32Array<SharedArrayBuffer> | undefined;
let received = 0;

/** Runs it until it is told to close. */
export function runThread(policy: Policy = POLICY): void {
  self.onmessage = ({ data: messages }) => {
    received = (received + 1) | 0; // as Atomics.add() counts
    for (const message of messages) take(message, policy);
  };
}

function take(message: ToWorker, policy: Policy): void {
  switch (message.type) {
    case "load":
      posted = message.posted;
      void load(message, policy);
      return;
    case "add":
      void add(message);
      return;
    case "ping":
      asked = true;
      if (!running) pong();
      return;
    case "close":
      closing = true;
      if (!running) void close();
      return;
  }
  if (!loop) throw new TypeError(`message ${message.type} before load`);
  if (message.type === "remove") {
    const { models } = message;
    const done = () => models.forEach((id) => void dispose(id));
    return loop.handle({ ...message, done });
  }
  loop.handle(message);
  if (!running) void run(loop, policy);
}

/** Steps until nothing is ready, letting messages in between two steps. */
async function run(loop: StepLoop, { listeningTurns }: Policy): Promise<void> {
  running = true;
  do {
    await listen(listeningTurns, isOnItsWay); // messages that came together are stepped together
    pong();
  } while (!closing && await loop.step());
  running = false;
  if (closing) await close();
}

/** Whether something was posted that has not come yet. */
function isOnItsWay(): boolean {
  return posted === undefined || Atomics.load(posted, 0) !== received;
}

/** Answers a ping; never during a step, which a broken engine may never end. */
function pong(): void {
  if (!asked) return;
  asked = false;
  self.postMessage({ type: "pong" });
}

async function load(
  { kind, options, models }: Extract<ToWorker, { type: "load" }>,
  policy: Policy,
): Promise<void> {
  try {
    create = (weights) => createEngine(kind, weights, { ...options, startQuickly: true });
    const costs = await loadEach(models, create);
    const { profile } = options;
    if (profile) postMs = 0;
    loop = new StepLoop(engines, { heads, reports, profile, policy });
    const { device, backend } = [...engines.values()][0];
    self.postMessage({ type: "loaded", device, backend, ...costs });
  } catch (thrown) {
    self.postMessage({ type: "load_failed", ...reasonOf(thrown) });
    return;
  }
  await complete(models);
}

/** Loads models beside those that are there, whose streams wait while an engine is built. */
async function add({ id, models }: Extract<ToWorker, { type: "add" }>): Promise<void> {
  if (!loop || !create) throw new TypeError("models are added before any is loaded");
  try {
    const costs = await loadEach(models, create);
    await complete(models); // while streams are excused for waiting
    for (const { id } of models) {
      loop.addModel(id, { engine: engines.get(id)!, heads: heads.get(id) });
    }
    self.postMessage({ type: "added", id, ...costs });
  } catch (thrown) {
    for (const { id } of models) await dispose(id);
    self.postMessage({ type: "add_failed", id, ...reasonOf(thrown) });
  }
}

/** Makes an engine and the heads of each model; says what they cost. */
async function loadEach(
  models: readonly Weights[],
  create: (weights: Weights) => Promise<Engine>,
): Promise<ModelCosts> {
  const secondsPerHop: Record<string, number> = {};
  const secondsPerRow: Record<string, Record<string, number>> = {};
  for (const weights of models) {
    const engine = await create(weights);
    engines.set(weights.id, engine);
    secondsPerHop[weights.id] = await warmUp(engine);
  }
  for (const { id, heads: files = [] } of models) {
    const { dims } = engines.get(id)!.layout;
    const own = new Map<string, OnnxHead>();
    heads.set(id, own);
    for (const file of files) own.set(file.name, await OnnxHead.create(file, { dims }));
    secondsPerRow[id] = Object.fromEntries(
      Array.from(own, ([name, { secondsPerRow }]) => [name, secondsPerRow]),
    );
  }
  return { secondsPerHop, secondsPerRow };
}

/** Builds what engines left for later, once they are of use. */
async function complete(models: readonly Weights[]): Promise<void> {
  for (const { id } of models) await engines.get(id)?.complete?.();
}

function reasonOf(thrown: unknown): { code: ErrorCode; message: string } {
  const { code, message, cause } = toCpcError(thrown);
  return { code, message: code === "internal" && cause instanceof Error ? cause.message : message };
}

/** Frees the memory of a model that has no streams. */
async function dispose(id: string): Promise<void> {
  const [engine, own] = [engines.get(id), heads.get(id)];
  engines.delete(id);
  heads.delete(id);
  for (const head of own?.values() ?? []) await head.dispose();
  await engine?.dispose();
}

async function close(): Promise<void> {
  for (const id of [...engines.keys()]) await dispose(id);
  self.postMessage({ type: "closed" });
  self.close();
}

/** What checkpoints hold of heads' states, which is handed over. */
function buffersOf(results: readonly StepResult[]): ArrayBuffer[] {
  return results.flatMap(({ checkpoint }) =>
    (checkpoint?.heads ?? []).flatMap(({ changed }) => handedOver(changed.values))
  );
}

/** Deno posts quickly what has no second argument, not even an empty list. */
function post(message: FromWorker, transfer: Transferable[]): void {
  if (transfer.length > 0) self.postMessage(message, transfer);
  else self.postMessage(message);
}

const packer = new ResultPacker();
const reports = {
  step(
    taken: readonly StepResult[],
    data: Float32Array<ArrayBuffer>,
    timing: StepTiming,
  ) {
    const { parts, ...rest } = timing;
    const buffers = [...handedOver(data), ...buffersOf(taken)];
    const results = packer.pack(taken);
    if (parts === undefined || postMs === undefined) {
      post({ type: "step", results, data, ...rest }, buffers);
      return;
    }
    const message = { type: "step", results, data, ...rest, parts: { ...parts, post: postMs } };
    const startedMs = performance.now();
    post(message as FromWorker, buffers);
    postMs = performance.now() - startedMs;
  },
  reached(lease: Lease, id: number, frames: number, heads?: readonly HeadBlock[]) {
    self.postMessage({ type: "reached", lease, id, frames, ...(heads && { heads }) });
  },
  retried(error: string) {
    self.postMessage({ type: "retried", error });
  },
  failed(lease: Lease, error: ReturnType<typeof toCpcError>) {
    const { code, message } = error;
    const alone = error instanceof HeadFailure;
    self.postMessage({ type: "failed", lease, code, message, ...(alone && { alone }) });
  },
};
