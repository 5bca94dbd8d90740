/** The decoding workers: a few, started on demand, each with several jobs. */
import { CpcError } from "../errors.ts";
import type { DecodeAnswer, DecodeRequest } from "./decode_worker.ts";

const MAX_WORKERS = Math.max(1, Math.min(4, navigator.hardwareConcurrency >> 1));

/** A job: to decode a file, or only to measure it, up to some length in seconds. */
interface JobRequest {
  readonly type: "decode" | "measure";
  readonly maxSeconds: number;
}

type Unaddressed<Message> = Message extends { id: number } ? Omit<Message, "id"> : never;

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

/** A worker and its jobs. */
class DecodeWorker {
  readonly #worker = new Worker(new URL("./decode_worker.ts", import.meta.url).href, {
    type: "module",
  });
  readonly #jobs = new Map<number, Job>();
  #lastId = 0;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<DecodeAnswer>) =>
      this.#jobs.get(data.id)?.receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.close(`a decoder broke down: ${event.message}`);
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

  close(reason: string): void {
    workers.delete(this);
    this.#worker.terminate();
    for (const job of this.#jobs.values()) job.fail(new CpcError("internal", reason));
    this.#jobs.clear();
  }
}

const workers = new Set<DecodeWorker>();

/** Gives a job to the least busy worker, or to a new one. */
export function openJob(request: JobRequest): Job {
  return leastBusyWorker().open(request);
}

/** Ends the workers; files being decoded fail. The next file starts new ones. */
export function closeDecoders(): void {
  for (const worker of [...workers]) worker.close("the decoders were closed");
}

function leastBusyWorker(): DecodeWorker {
  const [idlest] = [...workers].sort((a, b) => a.jobs - b.jobs);
  if (idlest && (idlest.jobs === 0 || workers.size >= MAX_WORKERS)) return idlest;
  const started = new DecodeWorker();
  workers.add(started);
  return started;
}
