/** Whether a worker thread still answers. */

/** Milliseconds between two beats. */
export const BEAT_MS = 1000;
/**
 * Beats without an answer after which a thread is taken to hang. The longest step of the shipped
 * model (64 hops, in WebAssembly) took 0.9 s on a busy core, in onnxruntime 0.08 s; a decoder's
 * longest piece of work, 0.3 s. A device that compiles kernels for a step of a new shape takes some
 * seconds.
 */
export const SILENT_BEATS = 10;

/**
 * Counts beats, not time: while the asking thread itself stands still, no beat passes, and the
 * answers of its workers wait.
 */
export class Heartbeat {
  readonly #ask: () => void;
  #answered = true;
  #silentBeats = 0;

  /** @param ask asks the thread to answer */
  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** The thread sent something. */
  heard(): void {
    this.#answered = true;
  }

  /**
   * Once a beat: asks it, or waits for its answer; returns the beats that it has been silent for.
   */
  beat(): number {
    if (this.#answered) {
      this.#answered = false;
      this.#silentBeats = 0;
      this.#ask();
    } else this.#silentBeats++;
    return this.#silentBeats;
  }
}
