/** Writes the files that the page saves, and reads what the browser does not. */

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

/** Mono floats as a WAV file. */
export function wav(
  parts: readonly Float32Array[],
  sampleRate: number,
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

/** Mono audio. */
export interface Sound {
  readonly sampleRate: number;
  readonly samples: Float32Array<ArrayBuffer>;
}

/**
 * The exact samples of a WAV file of 16-bit integers or 32-bit floats, with channels averaged.
 * Browsers scale integers in their own way.
 *
 * @returns undefined for any other file
 */
export function readWav(buffer: ArrayBuffer): Sound | undefined {
  const view = new DataView(buffer);
  const end = buffer.byteLength;
  const ascii = (at: number) =>
    at + 4 <= end ? String.fromCharCode(...new Uint8Array(buffer, at, 4)) : "";
  if (ascii(0) !== "RIFF" || ascii(8) !== "WAVE") return undefined;
  let format = { tag: 0, channels: 0, sampleRate: 0, bits: 0 };
  for (let at = 12; at + 8 <= end;) {
    const [name, length, start] = [ascii(at), view.getUint32(at + 4, true), at + 8] as const;
    if (name === "fmt " && start + 16 <= end) {
      const u16 = (offset: number) => view.getUint16(start + offset, true);
      const isExtensible = u16(0) === 0xfffe && start + 26 <= end;
      format = {
        tag: isExtensible ? u16(24) : u16(0),
        channels: u16(2),
        sampleRate: view.getUint32(start + 4, true),
        bits: u16(14),
      };
    } else if (name === "data") {
      const { tag, channels, sampleRate, bits } = format;
      const width = bits / 8;
      const isKnown = (tag === 1 && bits === 16) || (tag === 3 && bits === 32);
      if (!isKnown || channels === 0) return undefined;
      const samples = new Float32Array(
        Math.floor(Math.min(length, end - start) / width / channels),
      );
      for (let i = 0; i < samples.length; i++) {
        let sum = 0;
        for (let c = 0; c < channels; c++) {
          const place = start + (i * channels + c) * width;
          sum += tag === 3 ? view.getFloat32(place, true) : view.getInt16(place, true) / 32768;
        }
        samples[i] = sum / channels;
      }
      return { sampleRate, samples };
    }
    at = start + length + length % 2;
  }
  return undefined;
}

/** The rate that a FLAC file states, so that decoding need not resample. */
export function flacRate(buffer: ArrayBuffer): number | undefined {
  const view = new DataView(buffer);
  return buffer.byteLength > 42 && view.getUint32(0) === 0x664c6143
    ? view.getUint32(18) >>> 12
    : undefined;
}
