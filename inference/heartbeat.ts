/** Whether a worker still answers. */

/** Milliseconds between two beats. */
export const BEAT_MS = 1000;
/**
 * Beats without an answer after which a worker is taken to hang. The longest step of the shipped
 * model (64 hops, in WebAssembly) took 0.9 s on a busy core, in onnxruntime 0.08 s. A device that
 * compiles kernels for a step of a new shape takes some seconds.
 */
const SILENT_BEATS = 10;
/** The same for a worker that loads its models. */
const LOADING_BEATS = 120;

/**
 * Counts beats, not time: while the asking thread itself stands still, no beat passes, and the
 * answers of its workers wait.
 */
export class Heartbeat {
  readonly #ask: () => void;
  #loading = true;
  #answered = false;
  #silentBeats = 0;

  /** @param ask asks the worker to answer; only a loaded one is asked */
  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** The worker has loaded its models. */
  expectSteps(): void {
    this.#loading = false;
  }

  /** The worker sent something. */
  heard(): void {
    this.#answered = true;
  }

  /** Once a beat: whether the worker has been silent for too long. */
  silentTooLong(): boolean {
    this.#silentBeats = this.#answered ? 0 : this.#silentBeats + 1;
    if (this.#loading) return this.#silentBeats >= LOADING_BEATS;
    if (this.#silentBeats === 0) {
      this.#answered = false;
      this.#ask();
    }
    return this.#silentBeats >= SILENT_BEATS;
  }
}
