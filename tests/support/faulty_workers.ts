/** Model workers that break when a test tells them to. */

/** A worker that hears it as the first sample of a message throws. */
export const POISON = 1234.5;

/** Starts such workers, for a pool. */
export class FaultyWorkers {
  /** Those started so far, in order. */
  readonly threads: Worker[] = [];

  readonly startWorker = (): Worker => {
    const thread = new Worker(new URL("./faulty_worker.ts", import.meta.url), { type: "module" });
    this.threads.push(thread);
    return thread;
  };

  /**
   * Breaks a worker: it throws, never comes back, or fails the stream of each message with audio.
   *
   * @param times after so many of them it is well again
   */
  break(index: number, how: "throw" | "hang" | "sicken", times?: number): void {
    this.threads[index].postMessage({ type: "break", how, times });
  }
}
