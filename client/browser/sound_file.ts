/** Reads what browsers do not: exact samples, and a file's own rate. */

/** Audio of a file. */
export interface Sound {
  readonly sampleRate: number;
  /** As many samples of each channel. */
  readonly channels: readonly Float32Array<ArrayBuffer>[];
}

/** The mean of all channels. */
export function toMono(
  channels: readonly Float32Array<ArrayBuffer>[],
): Float32Array<ArrayBuffer> {
  const [first = new Float32Array()] = channels;
  if (channels.length === 1) return first;
  return first.map((_, i) =>
    channels.reduce((sum, channel) => sum + channel[i]!, 0) / channels.length
  );
}

/** Samples of all channels in turn. */
export function interleave(
  channels: readonly Float32Array<ArrayBuffer>[],
): Float32Array<ArrayBuffer> {
  const samples = new Float32Array(channels.length * (channels[0]?.length ?? 0));
  for (const [c, channel] of channels.entries()) {
    for (const [i, x] of channel.entries()) samples[i * channels.length + c] = x;
  }
  return samples;
}

/**
 * The exact samples of a WAV file of 16-bit integers or 32-bit floats. Browsers scale integers in
 * their own way.
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
      const samples = Math.floor(Math.min(length, end - start) / width / channels);
      const read = (c: number) =>
        Float32Array.from({ length: samples }, (_, i) => {
          const place = start + (i * channels + c) * width;
          return tag === 3 ? view.getFloat32(place, true) : view.getInt16(place, true) / 32768;
        });
      return { sampleRate, channels: Array.from({ length: channels }, (_, c) => read(c)) };
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
