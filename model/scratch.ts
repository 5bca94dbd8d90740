/** Arrays that every step needs anew, and that are only as new as they must be. */

/**
 * Arrays by name, each as long as it ever was. A step that allocated its own would have them
 * cleared, and the garbage collector called.
 */
export class Scratch {
  readonly #arrays = new Map<string, Float32Array<ArrayBuffer>>();

  /**
   * An array of this name: valid until the next of that name, and filled with whatever was left.
   */
  take(name: string, length: number): Float32Array<ArrayBuffer> {
    let array = this.#arrays.get(name);
    if (!array || array.length < length) {
      array = new Float32Array(length);
      this.#arrays.set(name, array);
    }
    return array.subarray(0, length);
  }
}
