/**
 * A model worker that the bench drives itself: real-time streams, floods and uploads, no sockets.
 */
import { formatRow } from "../formats/float_text.ts";
import type {
  FrameBlock,
  FromWorker,
  Lease,
  Priority,
  ToWorker,
  Want,
} from "../inference/messages.ts";
import { ResultReader } from "../inference/step_results.ts";
import { type ModelLayout, modelLayout } from "../model/engine.ts";
import type { Weights } from "../model/weights.ts";
import { encodeBinary, encodeJson, type FrameShape } from "../streaming/protocol/frames.ts";
import type { PolicyName } from "./scheduler_policies.ts";

const RATE = 16_000;

/** A stream as the bench sees it. */
interface Driven {
  readonly lease: Lease;
  readonly text: boolean;
  /** Frames came, and how many hops were taken by then. */
  readonly onFrames: (block: FrameBlock, hopsTaken: number) => void;
}

/** What streams were given, in seconds of audio per second, and how long speakers waited. */
export interface Measured {
  /** From sending the audio that completes a frame to the frame's coming, one for each message. */
  readonly latenciesMs: readonly number[];
  readonly floodRate: number;
  readonly uploadRate: number;
}

/** Who speaks, and who is in the way. */
export interface Crowd {
  /** Streams whose audio comes in messages of {@linkcode MESSAGE_MS} as it is spoken. */
  readonly speakers: number;
  readonly floods: number;
  readonly uploads: number;
  /** What floods want: predictions as text are what keeps the socket thread busiest. */
  readonly floodWants: "context" | "predictions as text";
}

const MESSAGE_MS = 20;
const MESSAGE_SAMPLES = RATE * MESSAGE_MS / 1000;
/** What of a flood or an upload waits in the worker. */
const QUEUED_SAMPLES = 4 * RATE;
const CONTEXT: Want = { context: true, latent: false, prediction: [], score: [], every: 1 };
/** Share of the time that is left out of the figures, at the beginning. */
const SETTLING = 1 / 4;

/** One worker thread with a policy. */
export class DrivenWorker {
  readonly #worker: Worker;
  readonly #layout: ModelLayout;
  readonly #model: string;
  readonly #shape: FrameShape;
  readonly #streams = new Map<number, Driven>();
  readonly #results = new ResultReader();
  #loaded = Promise.withResolvers<void>();
  #closed = Promise.withResolvers<void>();
  #generation = 0;
  readonly #posted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

  private constructor(weights: Weights, policy: PolicyName) {
    this.#layout = modelLayout(weights.config);
    this.#model = weights.id;
    const { dims, plan } = this.#layout;
    this.#shape = {
      contextWidth: dims.context,
      latentWidth: dims.latent,
      frameSeconds: plan.hopSamples / RATE,
      steps: dims.steps,
    };
    const url = new URL("./scheduler_worker.ts", import.meta.url);
    url.search = encodeURIComponent(policy);
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
  }

  /** Starts it and loads a model. */
  static async start(weights: Weights, policy: PolicyName): Promise<DrivenWorker> {
    const worker = new DrivenWorker(weights, policy);
    worker.#post({
      type: "load",
      kind: "onnx",
      options: { device: "cpu", precision: "fp32", threads: 1 },
      models: [weights],
      posted: worker.#posted,
    });
    await worker.#loaded.promise;
    return worker;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#post({ type: "close" });
    await this.#closed.promise;
  }

  /** Lets a crowd in for some seconds. */
  async measure(
    { speakers, floods, uploads, floodWants }: Crowd,
    seconds: number,
  ): Promise<Measured> {
    const generation = this.#generation++;
    const startedMs = performance.now();
    const settledMs = startedMs + 1000 * seconds * SETTLING;
    const latenciesMs: number[] = [];
    const hops = { live: 0, file: 0 };
    let index = 0;
    const lease = (): Lease => ({ index: index++, generation });
    const speaking = Array.from({ length: speakers }, (_, n) =>
      this.#speak(lease(), {
        fromMs: startedMs + MESSAGE_MS * n / speakers,
        messages: 1000 * seconds / MESSAGE_MS,
        onLatency: (ms) => performance.now() > settledMs && latenciesMs.push(ms),
      }));
    const insatiable = (priority: Priority, text: boolean) =>
      this.#feed(lease(), {
        priority,
        text,
        onHops: (taken) => performance.now() > settledMs && (hops[priority] += taken),
      });
    for (let n = 0; n < floods; n++) insatiable("live", floodWants === "predictions as text");
    for (let n = 0; n < uploads; n++) insatiable("file", false);
    await Promise.all(speaking);
    const passedS = (performance.now() - settledMs) / 1000;
    for (const { lease } of this.#streams.values()) this.#post({ type: "release", lease });
    this.#streams.clear();
    const rate = (hops: number) => hops * this.#layout.plan.hopSamples / RATE / passedS;
    return { latenciesMs, floodRate: rate(hops.live), uploadRate: rate(hops.file) };
  }

  /** Keeps a stream's queue in the worker full. */
  #feed(
    lease: Lease,
    { priority, text, onHops }: {
      priority: Priority;
      text: boolean;
      onHops: (taken: number) => void;
    },
  ): void {
    const { plan, dims } = this.#layout;
    const steps = text ? Array.from({ length: dims.steps }, (_, i) => i + 1) : [];
    let [sent, taken, asked] = [0, 0, false];
    const refill = () => {
      asked = false;
      if (this.#streams.get(lease.index)?.lease !== lease) return; // released
      while (sent - taken * plan.hopSamples < QUEUED_SAMPLES) {
        this.#audio(lease, NOISE.slice());
        sent += NOISE.length;
      }
    };
    this.#open({ priority, want: { ...CONTEXT, prediction: steps } }, {
      lease,
      text,
      onFrames: (_, hopsTaken) => {
        onHops(hopsTaken - taken);
        taken = hopsTaken;
        if (!asked) setTimeout(refill, 0); // a socket is read when the thread comes to it
        asked = true;
      },
    });
    refill();
  }

  /** Speaks in real time. */
  async #speak(
    lease: Lease,
    { fromMs, messages, onLatency }: {
      fromMs: number;
      messages: number;
      onLatency: (ms: number) => void;
    },
  ): Promise<void> {
    const { hopSamples, lookaheadSamples } = this.#layout.plan;
    const sentMs: number[] = [];
    this.#open({ priority: "live", want: CONTEXT }, {
      lease,
      text: false,
      onFrames: ({ first, count }) => {
        if (count === 0) return;
        const lastSample = (first + count - 1) * hopSamples + lookaheadSamples - 1;
        onLatency(performance.now() - sentMs[Math.floor(lastSample / MESSAGE_SAMPLES)]);
      },
    });
    for (let n = 0; n < messages; n++) {
      const waitMs = fromMs + n * MESSAGE_MS - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      sentMs.push(performance.now());
      this.#audio(lease, NOISE.slice(0, MESSAGE_SAMPLES));
    }
  }

  #open(stream: { priority: Priority; want: Want }, driven: Driven): void {
    const { lease } = driven;
    this.#streams.set(lease.index, driven);
    this.#post({
      type: "open",
      lease,
      model: this.#model,
      channels: 1,
      checkpointHops: 200,
      ...stream,
    });
  }

  #audio(lease: Lease, samples: Float32Array<ArrayBuffer>): void {
    this.#post({ type: "audio", lease, samples }, [samples.buffer]);
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    Atomics.add(this.#posted, 0, 1);
    this.#worker.postMessage([message], transfer);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "loaded":
        return this.#loaded.resolve();
      case "load_failed":
        return this.#loaded.reject(new Error(message.message));
      case "failed":
        throw new Error(message.message);
      case "closed":
        this.#worker.terminate();
        return this.#closed.resolve();
      case "step":
        for (
          const { offset, length, lease, hopsTaken, ...rest } of this.#results.read(message.results)
        ) {
          const stream = this.#streams.get(lease.index);
          if (stream?.lease.generation !== lease.generation) continue;
          const block = { ...rest, data: message.data.subarray(offset, offset + length) };
          const shape = this.#shape;
          if (stream.text) encodeJson(block, { shape, formatRow }); // what a socket would be sent
          else encodeBinary(block, { shape, dtype: "f32" });
          stream.onFrames(block, hopsTaken);
        }
    }
  }
}

/** 1 s */
const NOISE = Float32Array.from({ length: RATE }, () => (Math.random() - 0.5) / 5);
