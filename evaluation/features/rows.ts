/** Features of a recording: one row per frame. */
export interface Rows {
  /** T */
  readonly frames: number;
  /** D */
  readonly width: number;
  /** `[T, D]` */
  readonly data: Float32Array;
}

/** Row t. */
export function rowOf({ width, data }: Rows, t: number): Float32Array {
  return data.subarray(t * width, (t + 1) * width);
}

/** Rows side by side, `[T, D₁ + D₂ + …]`. */
export function beside(...parts: readonly Rows[]): Rows {
  const width = parts.reduce((sum, part) => sum + part.width, 0);
  const { frames } = parts[0];
  const data = new Float32Array(frames * width);
  for (let t = 0; t < frames; t++) {
    let at = t * width;
    for (const part of parts) {
      data.set(rowOf(part, t), at);
      at += part.width;
    }
  }
  return { frames, width, data };
}

/** Mean over rows `from … to` (exclusive), `[D]`. */
export function meanRow({ width, data }: Rows, from: number, to: number): Float32Array {
  const sum = new Float64Array(width);
  for (let t = from; t < to; t++) for (let i = 0; i < width; i++) sum[i] += data[t * width + i];
  return Float32Array.from(sum, (x) => x / (to - from));
}

/**
 * Means over equal parts of a recording, one after the other.
 *
 * @returns `[parts · D]`; part p is frames ⌊p·T/parts⌋ … ⌊(p+1)·T/parts⌋, and at least one frame
 */
export function partMeans(rows: Rows, parts: number): Float32Array {
  const out = new Float32Array(parts * rows.width);
  for (let p = 0; p < parts; p++) {
    const from = Math.min(rows.frames - 1, Math.floor(p * rows.frames / parts));
    const to = Math.max(from + 1, Math.floor((p + 1) * rows.frames / parts));
    out.set(meanRow(rows, from, to), p * rows.width);
  }
  return out;
}
