/** The telephone's 8-bit codes (ITU-T G.711): µ-law and A-law. */

/** A µ-law code as a 16-bit sample (ITU-T G.711). */
export function mulawToS16(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 132) << ((bits & 0x70) >> 4)) - 132;
  return bits & 0x80 ? 0 - magnitude : magnitude;
}

/** An A-law code as a 16-bit sample (ITU-T G.711). */
export function alawToS16(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits & 0x70) >> 4;
  const step = ((bits & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 256) << (segment - 1);
  return bits & 0x80 ? magnitude : -magnitude;
}
