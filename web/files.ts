/** Writes the files that the page saves. */

/** Rows as a NumPy array, float32 `[T, C]`; the width is C. */
export function npy(rows: readonly Float32Array[], width: number): Uint8Array<ArrayBuffer> {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows.length}, ${width}), }`;
  const pad = 64 - (10 + head.length + 1) % 64;
  const text = head + " ".repeat(pad % 64) + "\n";
  const start = 10 + text.length;
  const bytes = new Uint8Array(start + rows.length * width * 4);
  bytes.set([
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    1,
    0,
    text.length & 255,
    text.length >> 8,
  ]);
  bytes.set(new TextEncoder().encode(text), 10);
  const data = new Float32Array(bytes.buffer, start);
  rows.forEach((row, i) => data.set(row, i * width));
  return bytes;
}

/** Floats, interleaved if there are several channels, as a WAV file. */
export function wav(
  parts: readonly Float32Array[],
  { sampleRate, channels = 1 }: { sampleRate: number; channels?: number },
): Uint8Array<ArrayBuffer> {
  const samples = parts.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(44 + samples * 4);
  const view = new DataView(bytes.buffer);
  const ascii = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  ascii(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  ascii(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true); // floats
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 4 * channels, true);
  view.setUint16(32, 4 * channels, true);
  view.setUint16(34, 32, true);
  ascii(36, "data");
  view.setUint32(40, samples * 4, true);
  const data = new Float32Array(bytes.buffer, 44);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return bytes;
}
