/** Signals and cuts that the audio tests share. */

/** A sine of amplitude 1. */
export function tone(
  { rate, hertz, seconds = 1 }: { rate: number; hertz: number; seconds?: number },
): Float32Array<ArrayBuffer> {
  return Float32Array.from(
    { length: Math.round(rate * seconds) },
    (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate),
  );
}

/** Noise in ±1 that is the same each time. */
export function noise(samples: number, seed = 1): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length: samples }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/**
 * An array in pieces, cut at any places (taken modulo its length); empty pieces are among them when
 * two cuts fall together.
 */
export function cut<Piece extends Uint8Array | Float32Array<ArrayBuffer>>(
  array: Piece,
  places: readonly number[],
): Piece[] {
  const sorted = places.map((place) => place % (array.length + 1)).sort((a, b) => a - b);
  return [0, ...sorted].map((from, i) => array.subarray(from, sorted[i] ?? array.length) as Piece);
}

/** Arrays end to end. */
export function concat(arrays: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const joined = new Float32Array(arrays.reduce((length, array) => length + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.length;
  }
  return joined;
}

/** 20·log10 of the ratio of two signals' energies (as amplitudes), over their middle half. */
export function decibels(signal: Float32Array, reference: Float32Array): number {
  let energy = 0, referenceEnergy = 0;
  for (let i = signal.length >> 2; i < (3 * signal.length) >> 2; i++) {
    energy += signal[i] ** 2;
    referenceEnergy += reference[i] ** 2;
  }
  return 10 * Math.log10(energy / referenceEnergy);
}
