/** WAV files of mono 16-bit samples, as tools of every kind read them. */

const HEADER_BYTES = 44;
const FULL_SCALE = 32_768;

/**
 * A WAV file.
 *
 * @param samples mono, 1 = full scale; louder ones are clipped
 */
export function wavOf(
  samples: Float32Array,
  { sampleRate }: { sampleRate: number },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + 2 * samples.length);
  const view = new DataView(bytes.buffer);
  const text = (at: number, word: string) => bytes.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, 2 * sampleRate, true);
  view.setUint16(32, 2, true); // bytes of a sample
  view.setUint16(34, 16, true); // bits of a sample
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((x, i) => {
    const value = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(x * FULL_SCALE)));
    view.setInt16(HEADER_BYTES + 2 * i, value, true);
  });
  return bytes;
}
