/** Writes FLAC files whose frames say what a test wants (RFC 9639, section 9). */

/** How a file is written. */
export interface FlacOptions {
  readonly rate?: number;
  readonly bits?: number;
  /** Samples of a frame; the last may have fewer. */
  readonly blockSamples?: number;
  /** Code of the rate in frame headers; 0 leaves it to STREAMINFO. */
  readonly rateCode?: number;
  /** Code of the sample size in frame headers; 0 leaves it to STREAMINFO. */
  readonly sizeCode?: number;
}

/** A file of integers, by channel: every sample as it is. */
export function flac(channels: readonly Int32Array[], options: FlacOptions = {}) {
  const { bits = 16, blockSamples = 1000 } = options;
  const length = channels[0].length;
  const frames = [];
  for (let at = 0; at < length; at += blockSamples) {
    const end = Math.min(length, at + blockSamples);
    const body = new BitWriter();
    for (const channel of channels) {
      body.write(0b00000010, 8); // verbatim
      for (const sample of channel.subarray(at, end)) body.write(sample, bits);
    }
    frames.push(frame(body.bytes(), {
      ...options,
      number: frames.length,
      samples: end - at,
      channels: channels.length,
    }));
  }
  return fileOf(frames, { ...options, channels: channels.length, samples: length });
}

/** A file of silence, a few bytes for each frame of 65,535 samples. */
export function silentFlac(
  { channels, frames, rate }: { channels: number; frames: number; rate: number },
): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(channels * 3); // constant, 0
  const written = Array.from(
    { length: frames },
    (_, number) => frame(body, { number, samples: 65_535, channels }),
  );
  return fileOf(written, { rate, channels, samples: frames * 65_535 });
}

function fileOf(
  frames: readonly Uint8Array[],
  { rate = 16_000, bits = 16, channels, samples }: FlacOptions & {
    channels: number;
    samples: number;
  },
): Uint8Array<ArrayBuffer> {
  const head = new BitWriter();
  for (const byte of [0x66, 0x4c, 0x61, 0x43, 0x80, 0, 0, 34]) head.write(byte, 8);
  for (const blockSamples of [16, 65_535]) head.write(blockSamples, 16);
  for (const frameBytes of [0, 0]) head.write(frameBytes, 24);
  head.write(rate, 20);
  head.write(channels - 1, 3);
  head.write(bits - 1, 5);
  head.write(Math.floor(samples / 2 ** 32), 4);
  head.write(samples, 32);
  for (let i = 0; i < 4; i++) head.write(0, 32); // no MD5
  const parts = [head.bytes(), ...frames];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (file.set(part, at), at + part.length), 0);
  return file;
}

function frame(
  body: Uint8Array,
  { number, samples, channels, rateCode = 0, sizeCode = 0 }: FlacOptions & {
    number: number;
    samples: number;
    channels: number;
  },
): Uint8Array {
  const head = new BitWriter();
  head.write(0xfff8, 16);
  head.write(0b0111, 4); // the block's size follows, in 16 bits
  head.write(rateCode, 4);
  head.write(channels - 1, 4);
  head.write(sizeCode << 1, 4);
  for (const byte of new TextEncoder().encode(String.fromCodePoint(number))) head.write(byte, 8);
  head.write(samples - 1, 16);
  head.write(crc(head.bytes(), { polynomial: 0x07, bits: 8 }), 8);
  for (const byte of body) head.write(byte, 8);
  head.write(crc(head.bytes(), { polynomial: 0x8005, bits: 16 }), 16);
  return head.bytes();
}

function crc(
  bytes: Uint8Array,
  { polynomial, bits }: { polynomial: number; bits: number },
): number {
  const top = 2 ** (bits - 1);
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << (bits - 8);
    for (let i = 0; i < 8; i++) crc = (crc & top ? (crc << 1) ^ polynomial : crc << 1) % 2 ** bits;
  }
  return crc;
}

/** Bits, the highest first. */
class BitWriter {
  readonly #bytes: number[] = [];
  #byte = 0;
  #filled = 0;

  write(value: number, bits: number): void {
    for (let i = bits - 1; i >= 0; i--) {
      this.#byte = (this.#byte << 1) | ((value >> i) & 1);
      if (++this.#filled < 8) continue;
      this.#bytes.push(this.#byte);
      this.#byte = this.#filled = 0;
    }
  }

  /** What was written, with zeros up to a whole byte. */
  bytes(): Uint8Array {
    const last = this.#filled > 0 ? [this.#byte << (8 - this.#filled)] : [];
    return Uint8Array.from([...this.#bytes, ...last]);
  }
}
