/** Reads what browsers do not: exact samples, and a file's own rate. */

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
