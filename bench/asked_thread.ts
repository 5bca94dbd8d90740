/** A thread that answers each question once, before the next one comes. */
export class AskedThread<Question, Answer> {
  readonly #worker: Worker;
  readonly #name: string;

  /** @param name of what it does, for the error of a thread that stops */
  constructor(worker: Worker, name: string) {
    this.#worker = worker;
    this.#name = name;
  }

  /** Asks; rejects if the thread stops. */
  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data);
      this.#worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`a thread of ${this.#name} stopped: ${event.message}`));
      };
      this.#worker.postMessage(question);
    });
  }

  end(): void {
    this.#worker.terminate();
  }
}
