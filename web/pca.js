// @ts-check
/** The first principal components of a stream of vectors, fitted as they come. */

/** New vectors weigh a little more than old ones, so that the plane follows the speaker. */
const AMNESIA = 2;

/** Candid covariance-free incremental PCA (Weng, Zhang and Hwang 2003) of two components. */
export class OnlinePca {
  #count = 0;
  #mean;
  #axes;
  #rest;

  /** @param {number} width */
  constructor(width) {
    this.#mean = new Float64Array(width);
    this.#axes = [new Float64Array(width), new Float64Array(width)];
    this.#rest = new Float64Array(width);
  }

  /** Mean of what it has learned from, `[width]`; the same array all the time. */
  get mean() {
    return this.#mean;
  }

  /** Learns from a vector. @param {ArrayLike<number>} vector `[width]` */
  add(vector) {
    const n = ++this.#count;
    const rest = this.#rest;
    for (let i = 0; i < rest.length; i++) {
      this.#mean[i] += (vector[i] - this.#mean[i]) / n;
      rest[i] = vector[i] - this.#mean[i];
    }
    const gain = Math.min(1, (1 + AMNESIA) / n);
    for (const [k, axis] of this.#axes.entries()) {
      // the k-th axis begins with the first vector that the mean has not swallowed
      if (n < k + 2) continue;
      let length = norm(axis);
      if (length === 0) {
        axis.set(rest);
        length = norm(axis);
        if (length === 0) return;
      } else {
        const along = dot(rest, axis) / length;
        for (let i = 0; i < axis.length; i++) axis[i] += gain * (along * rest[i] - axis[i]);
        length = norm(axis) || 1;
      }
      const along = dot(rest, axis) / length ** 2;
      for (let i = 0; i < rest.length; i++) rest[i] -= along * axis[i];
    }
  }

  /**
   * Where a vector lies in the plane. @param {ArrayLike<number>} vector @returns {[number, number]}
   */
  project(vector) {
    const place = this.#axes.map((axis) => {
      const length = norm(axis) || 1;
      let sum = 0;
      for (let i = 0; i < axis.length; i++) sum += (vector[i] - this.#mean[i]) * axis[i];
      return sum / length;
    });
    return [place[0], place[1]];
  }
}

/** @param {Float64Array} a @param {Float64Array} b */
function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** @param {Float64Array} a */
function norm(a) {
  return Math.sqrt(dot(a, a));
}
