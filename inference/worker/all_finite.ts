/** A look at every number that a step leaves. */

/** A float's bits without its sign. */
const MAGNITUDE = 0x7fff_ffff;
/** The lowest bit of its exponent. */
const EXPONENT_ONE = 0x0080_0000;

/**
 * Whether no float is infinite or NaN, by their bits: that takes a third of the time of their sum.
 */
export function allFinite(data: Float32Array): boolean {
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
  let [even, odd] = [0, 0];
  let i = 0;
  for (; i + 3 < bits.length; i += 4) {
    even |= carried(bits[i]) | carried(bits[i + 1]);
    odd |= carried(bits[i + 2]) | carried(bits[i + 3]);
  }
  for (; i < bits.length; i++) even |= carried(bits[i]);
  return (even | odd) >= 0;
}

/** Negative for infinities and NaN alone, whose exponent of ones carries into the sign. */
function carried(bits: number): number {
  return (bits & MAGNITUDE) + EXPONENT_ONE;
}
