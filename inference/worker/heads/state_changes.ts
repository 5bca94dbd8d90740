/** What changed in a head's state since it was last saved, bit by bit. */
import type { HeadState } from "../../../model/engines/onnx_head.ts";
import { assembled, type Piece, type Snapshot } from "../../snapshot.ts";

/** A state of fewer numbers is saved as a whole: to compare it would need a copy all the time. */
const COMPARED_FLOATS = 1024;
/** Equal numbers between two changed ones that cost less than a run of their own. */
const GAP = 16;

/** Follows the state of one head of one stream. */
export class StateChanges {
  readonly #state: HeadState;
  readonly #floats: number;
  /** The state when it was last saved. */
  readonly #saved?: Float32Array<ArrayBuffer>;

  /**
   * Begins with a state: zeros, or what was saved.
   *
   * @param state its arrays, which a step may replace or change
   * @throws {RangeError} if what was saved is of another size
   */
  constructor(state: HeadState, from: Snapshot = []) {
    this.#state = state;
    this.#floats = state.reduce((sum, { length }) => sum + length, 0);
    const begin = assembled(from, this.#floats);
    let at = 0;
    for (const values of state) values.set(begin.subarray(at, at += values.length));
    if (this.#floats >= COMPARED_FLOATS) this.#saved = begin;
  }

  /** What changed since the last call, or since the beginning. */
  take(): Piece {
    const saved = this.#saved;
    const runs: number[] = [];
    let at = 0;
    for (const values of this.#state) {
      if (saved) addChanged(runs, { values, saved: saved.subarray(at, at + values.length), at });
      else runs.push(at, at + values.length);
      at += values.length;
    }
    return { runs: Uint32Array.from(runs), values: this.#copy(runs) };
  }

  /** Copies runs of the state, each of which lies in one of its arrays. */
  #copy(runs: readonly number[]): Float32Array<ArrayBuffer> {
    let floats = 0;
    for (let r = 0; r < runs.length; r += 2) floats += runs[r + 1] - runs[r];
    const copy = new Float32Array(floats);
    let [s, begin, at] = [0, 0, 0]; // state s begins at place `begin`
    for (let r = 0; r < runs.length; r += 2) {
      while (runs[r] >= begin + this.#state[s].length) begin += this.#state[s++].length;
      const part = this.#state[s].subarray(runs[r] - begin, runs[r + 1] - begin);
      copy.set(part, at);
      this.#saved?.set(part, runs[r]);
      at += part.length;
    }
    return copy;
  }
}

/** Adds the runs of numbers whose bits differ. */
function addChanged(
  runs: number[],
  { values, saved, at }: { values: Float32Array; saved: Float32Array; at: number },
): void {
  const [now, before] = [values, saved].map((floats) =>
    new Int32Array(floats.buffer, floats.byteOffset, floats.length)
  );
  let [start, last] = [-1, -1];
  for (let i = 0; i < now.length; i++) {
    if (i % GAP === 0) {
      while (i + GAP <= now.length && alike(now, before, i)) i += GAP;
      if (i === now.length) break;
    }
    if (now[i] === before[i]) continue;
    if (start < 0) start = i;
    else if (i - last > GAP) {
      runs.push(at + start, at + last + 1);
      start = i;
    }
    last = i;
  }
  if (start >= 0) runs.push(at + start, at + last + 1);
}

/**
 * Whether {@linkcode GAP} numbers are alike: most are, and one test for all takes half the time.
 */
function alike(a: Int32Array, b: Int32Array, i: number): boolean {
  const first = (a[i] ^ b[i]) | (a[i + 1] ^ b[i + 1]) | (a[i + 2] ^ b[i + 2]) |
    (a[i + 3] ^ b[i + 3]) | (a[i + 4] ^ b[i + 4]) | (a[i + 5] ^ b[i + 5]) |
    (a[i + 6] ^ b[i + 6]) | (a[i + 7] ^ b[i + 7]);
  const second = (a[i + 8] ^ b[i + 8]) | (a[i + 9] ^ b[i + 9]) | (a[i + 10] ^ b[i + 10]) |
    (a[i + 11] ^ b[i + 11]) | (a[i + 12] ^ b[i + 12]) | (a[i + 13] ^ b[i + 13]) |
    (a[i + 14] ^ b[i + 14]) | (a[i + 15] ^ b[i + 15]);
  return (first | second) === 0;
}
