/** The decoding workers: a few, each with several jobs. */
import { CpcError } from "../errors.ts";
import { BEAT_MS, Heartbeat, SILENT_BEATS } from "../heartbeat.ts";
import { startThread, type ThreadRights } from "../threads.ts";
import type { DecodeAnswer, DecodeRequest } from "./decode_worker.ts";

/** Most threads of recordings; streams have as many of their own. */
export const MAX_WORKERS = Math.max(1, Math.min(4, navigator.hardwareConcurrency >> 1));

/** None at all: a decoder gets bytes and gives samples. */
export const DECODER_RIGHTS: ThreadRights = "none";

type Unaddressed<Message> = Message extends { id: number } ? Omit<Message, "id"> : never;

/** A job: to decode a file, or only to measure it, up to some length in seconds; or a stream. */
type JobRequest = Unaddressed<
  Extract<DecodeRequest, { type: "decode" | "measure" | "stream" }>
>;

/** A job's answers in order, and its failure. */
export class Job {
  /** Rejects when the job fails without an answer. */
  readonly failed: Promise<never>;
  readonly fail: (reason: unknown) => void;
  readonly #answers: DecodeAnswer[] = [];
  readonly #post: (message: Unaddressed<DecodeRequest>, transfer?: Transferable[]) => void;
  readonly #onClose: () => void;
  #wake = () => {};

  constructor(post: Job["send"], onClose: () => void) {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // nobody may be waiting
    this.failed = promise;
    this.fail = reject;
    this.#post = post;
    this.#onClose = onClose;
  }

  send(message: Unaddressed<DecodeRequest>, transfer?: Transferable[]): void {
    this.#post(message, transfer);
  }

  receive(answer: DecodeAnswer): void {
    this.#answers.push(answer);
    this.#wake();
  }

  async next(): Promise<DecodeAnswer> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer) return await Promise.race([this.failed, answer]);
      await Promise.race([this.failed, new Promise<void>((resolve) => this.#wake = resolve)]);
    }
  }

  close(): void {
    this.#onClose();
  }
}

/** Beats without an answer after which a thread that still loads is taken to hang. */
const LOADING_BEATS = 60;

/** A worker and its jobs. */
class DecodeWorker {
  readonly #worker: Worker;
  readonly #onLost: (worker: DecodeWorker, reason: string) => void;
  readonly #jobs = new Map<number, Job>();
  readonly #heartbeat = new Heartbeat(() => this.#worker.postMessage({ type: "ping" }));
  /** Until it first answers it loads, which takes long on a machine that is too busy. */
  #patienceBeats = LOADING_BEATS;
  #lastId = 0;

  constructor(worker: Worker, onLost: (worker: DecodeWorker, reason: string) => void) {
    this.#worker = worker;
    this.#onLost = onLost;
    worker.onmessage = ({ data }: MessageEvent<DecodeAnswer | { type: "pong" }>) => {
      this.#heartbeat.heard();
      this.#patienceBeats = SILENT_BEATS;
      if (data.type !== "pong") this.#jobs.get(data.id)?.receive(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      onLost(this, `a decoder broke down: ${event.message}`);
    };
  }

  get jobs(): number {
    return this.#jobs.size;
  }

  open(request: JobRequest): Job {
    const id = ++this.#lastId;
    const job = new Job(
      (message, transfer = []) => this.#worker.postMessage({ ...message, id }, transfer),
      () => {
        if (this.#jobs.delete(id)) this.#worker.postMessage({ type: "close", id });
      },
    );
    this.#jobs.set(id, job);
    this.#worker.postMessage({ ...request, id });
    return job;
  }

  /** Once a beat: whether it still answers. */
  look(): void {
    if (this.#heartbeat.beat() < this.#patienceBeats) return;
    this.#onLost(this, "a decoder does not answer");
  }

  /** Ends it; its jobs fail. */
  end(reason: string): void {
    this.#worker.terminate();
    for (const job of this.#jobs.values()) job.fail(new CpcError("internal", reason));
    this.#jobs.clear();
  }
}

/** Decoding workers. One that breaks or hangs is ended, and the next file starts another. */
export class Decoders {
  /** Called with the reason when a worker was lost. */
  onLost: (reason: string) => void = () => {};
  readonly #startWorker: () => Worker;
  readonly #most: number;
  readonly #beatMs: number;
  readonly #workers = new Set<DecodeWorker>();
  #timer?: ReturnType<typeof setInterval>;

  /**
   * @param options `most`: workers; `startWorker`: starts one's thread, `beatMs`: between two looks
   * (tests bring their own)
   */
  constructor({ most = MAX_WORKERS, startWorker = startDecoder, beatMs = BEAT_MS }: {
    most?: number;
    startWorker?: () => Worker;
    beatMs?: number;
  } = {}) {
    this.#most = most;
    this.#beatMs = beatMs;
    this.#startWorker = startWorker;
  }

  /**
   * Starts all workers, and lets them load every decoder: later there may be no descriptors left
   * for that.
   *
   * @throws {CpcError} `overloaded` when there are none now
   */
  start(): void {
    while (this.#workers.size < this.#most) this.#add();
  }

  /**
   * Gives a job to the least busy worker, or to a new one.
   *
   * @throws {CpcError} `overloaded` when there is no worker and none can be started
   */
  open(request: JobRequest): Job {
    return this.#leastBusy().open(request);
  }

  /** Finds workers that hang; its own timer calls it each beat. */
  look(): void {
    for (const worker of [...this.#workers]) worker.look();
  }

  /** Ends the workers; files being decoded fail. The next file starts new ones. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const worker of this.#workers) worker.end("the decoders were closed");
    this.#workers.clear();
  }

  #leastBusy(): DecodeWorker {
    const [idlest] = [...this.#workers].sort((a, b) => a.jobs - b.jobs);
    if (idlest && (idlest.jobs === 0 || this.#workers.size >= this.#most)) return idlest;
    try {
      return this.#add();
    } catch (error) {
      if (idlest && error instanceof CpcError) return idlest;
      throw error;
    }
  }

  #add(): DecodeWorker {
    const worker = new DecodeWorker(this.#startWorker(), (lost, reason) => {
      if (!this.#workers.delete(lost)) return;
      lost.end(reason);
      this.onLost(reason);
    });
    this.#workers.add(worker);
    this.#timer ??= setInterval(() => this.look(), this.#beatMs);
    return worker;
  }
}

function startDecoder(): Worker {
  return startThread(new URL("./decode_worker.ts", import.meta.url), DECODER_RIGHTS);
}

/** The process's decoders of files. */
export const decoders = new Decoders();
/** Those of streams, which no file may keep waiting. They start when a stream needs one. */
export const streamDecoders = new Decoders();
