// @ts-check
/** What the page saves, and what it must know of files that it reads. */

/** Rows as a NumPy array, float32 `[T, C]`. @param {Float32Array[]} rows @param {number} width @returns {Uint8Array<ArrayBuffer>} */
export function npy(rows, width) {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows.length}, ${width}), }`;
  const pad = 64 - (10 + head.length + 1) % 64;
  const text = head + " ".repeat(pad % 64) + "\n";
  const start = 10 + text.length;
  const bytes = new Uint8Array(start + rows.length * width * 4);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, text.length & 255, text.length >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  const data = new Float32Array(bytes.buffer, start);
  rows.forEach((row, i) => data.set(row, i * width));
  return bytes;
}

/** Mono floats as a WAV file. @param {Float32Array[]} parts @param {number} sampleRate @returns {Uint8Array<ArrayBuffer>} */
export function wav(parts, sampleRate) {
  const samples = parts.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(44 + samples * 4);
  const view = new DataView(bytes.buffer);
  const ascii = (/** @type {number} */ at, /** @type {string} */ text) => bytes.set(new TextEncoder().encode(text), at);
  ascii(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  ascii(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true); // floats
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 4, true);
  view.setUint16(32, 4, true);
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

/** The sample rate that a WAV or FLAC file states, so that decoding need not change it. @param {ArrayBuffer} buffer @returns {number | undefined} */
export function statedRate(buffer) {
  const view = new DataView(buffer);
  const ascii = (/** @type {number} */ at) =>
    String.fromCharCode(...new Uint8Array(buffer, at, Math.min(4, buffer.byteLength - at)));
  if (buffer.byteLength < 44) return undefined;
  if (ascii(0) === "fLaC") return view.getUint32(18) >> 12 & 0xfffff;
  if (ascii(0) !== "RIFF") return undefined;
  for (let at = 12; at + 16 <= buffer.byteLength; at += 8 + view.getUint32(at + 4, true) + view.getUint32(at + 4, true) % 2) {
    if (ascii(at) === "fmt ") return view.getUint32(at + 12, true);
  }
  return undefined;
}
