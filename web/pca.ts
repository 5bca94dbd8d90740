/** The first principal components of a stream of vectors, fitted as they arrive. */

/** New vectors weigh a little more than old ones, so that the plane follows the speaker. */
const AMNESIA = 2;

/** Candid covariance-free incremental PCA (Weng, Zhang and Hwang 2003) of two components. */
export class OnlinePca {
  #count = 0;
  readonly #mean: Float64Array;
  readonly #axes: readonly [Float64Array, Float64Array];
  readonly #rest: Float64Array;

  /** @param width of the vectors */
  constructor(width: number) {
    this.#mean = new Float64Array(width);
    this.#axes = [new Float64Array(width), new Float64Array(width)];
    this.#rest = new Float64Array(width);
  }

  /** Learns from a vector, `[width]`. */
  add(vector: ArrayLike<number>): void {
    const n = ++this.#count;
    const [mean, rest] = [this.#mean, this.#rest];
    for (let i = 0; i < rest.length; i++) {
      mean[i]! += (vector[i]! - mean[i]!) / n;
      rest[i] = vector[i]! - mean[i]!;
    }
    const gain = Math.min(1, (1 + AMNESIA) / n);
    for (const [k, axis] of this.#axes.entries()) {
      // the k-th axis begins with the first vector that differs from the mean
      if (n < k + 2) continue;
      let length = norm(axis);
      if (length === 0) {
        axis.set(rest);
        length = norm(axis);
        if (length === 0) return;
      } else {
        const along = dot(rest, axis) / length;
        for (let i = 0; i < axis.length; i++) axis[i]! += gain * (along * rest[i]! - axis[i]!);
        length = norm(axis) || 1;
      }
      const along = dot(rest, axis) / length ** 2;
      for (let i = 0; i < rest.length; i++) rest[i]! -= along * axis[i]!;
    }
  }

  /** The position of a vector, `[width]`, in the plane. */
  project(vector: ArrayLike<number>): [x: number, y: number] {
    const along = (axis: Float64Array) => {
      let sum = 0;
      for (let i = 0; i < axis.length; i++) sum += (vector[i]! - this.#mean[i]!) * axis[i]!;
      return sum / (norm(axis) || 1);
    };
    return [along(this.#axes[0]), along(this.#axes[1])];
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}
