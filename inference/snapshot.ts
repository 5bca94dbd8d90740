/**
 * The state of a head at a checkpoint, as pieces: what changed since the checkpoint before, and the
 * earlier pieces that still show through. Checkpoints share their pieces, so a ring to which rows
 * are appended costs what was appended, however often it is saved.
 */

/** Numbers of a state that changed between two checkpoints. Nobody changes a piece. */
export interface Piece {
  /** Their places in the state: `[start, end, start, end, …]`, ascending. */
  readonly runs: Uint32Array<ArrayBuffer>;
  /** The numbers, run after run. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** A state: each piece lies over those before it, and what no piece holds is zero. */
export type Snapshot = readonly Piece[];

/** Beyond so many times the numbers that show, all are copied into one piece. */
const MOST_HIDDEN = 1.5;

/** A later state: what changed lies over the rest, and pieces that it hides are left out. */
export function withChanges(snapshot: Snapshot, changed: Piece): Snapshot {
  if (changed.values.length === 0) return snapshot;
  const kept = [changed];
  let covered: readonly number[] = [...changed.runs];
  let numbers = changed.values.length;
  for (const piece of snapshot.toReversed()) {
    const wider = union(covered, piece.runs);
    if (lengthOf(wider) === lengthOf(covered)) continue;
    covered = wider;
    numbers += piece.values.length;
    kept.unshift(piece);
  }
  return numbers <= MOST_HIDDEN * lengthOf(covered) ? kept : [onePiece(kept, covered)];
}

/**
 * The whole state.
 *
 * @param floats its numbers
 * @throws {RangeError} if a piece lies beyond them
 */
export function assembled(snapshot: Snapshot, floats: number): Float32Array<ArrayBuffer> {
  const whole = new Float32Array(floats);
  for (const { runs, values } of snapshot) {
    let at = 0;
    for (let r = 0; r + 1 < runs.length; r += 2) {
      const [start, end] = [runs[r]!, runs[r + 1]!];
      whole.set(values.subarray(at, at += end - start), start);
    }
  }
  return whole;
}

/** Bytes of pieces, each counted once. */
export function bytesOf(pieces: Iterable<Piece>): number {
  let bytes = 0;
  for (const { runs, values } of new Set(pieces)) bytes += runs.byteLength + values.byteLength;
  return bytes;
}

/** Whether runs and values of unknown origin make a piece. */
export function isPiece({ runs, values }: Piece): boolean {
  const ascending = runs.every((place, i) =>
    i === 0 || (i % 2 === 0 ? place >= runs[i - 1]! : place > runs[i - 1]!)
  );
  return ascending && runs.length % 2 === 0 && lengthOf(runs) === values.length;
}

/** The places of either, where neighbours become one. */
function union(a: ArrayLike<number>, b: ArrayLike<number>): number[] {
  const joined: number[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const first = j >= b.length || i < a.length && a[i]! <= b[j]!;
    const [start, end] = first ? [a[i]!, a[i + 1]!] : [b[j]!, b[j + 1]!];
    if (first) i += 2;
    else j += 2;
    const last = joined.length - 1;
    if (last > 0 && start <= joined[last]!) joined[last] = Math.max(joined[last]!, end);
    else joined.push(start, end);
  }
  return joined;
}

function lengthOf(runs: ArrayLike<number>): number {
  let length = 0;
  for (let r = 0; r + 1 < runs.length; r += 2) length += runs[r + 1]! - runs[r]!;
  return length;
}

function onePiece(snapshot: Snapshot, covered: readonly number[]): Piece {
  const whole = assembled(snapshot, covered.at(-1) ?? 0);
  const values = new Float32Array(lengthOf(covered));
  for (let r = 0, at = 0; r + 1 < covered.length; r += 2) {
    const part = whole.subarray(covered[r], covered[r + 1]);
    values.set(part, at);
    at += part.length;
  }
  return { runs: Uint32Array.from(covered), values };
}
