/** Small writers of audio files, right and wrong ones, for tests. */
import { BYTES_PER_SAMPLE, type SampleEncoding } from "../../audio/pcm.ts";

/** How a WAV file is written; what is not given is right. */
export interface WavOptions {
  encoding?: SampleEncoding;
  channels?: number;
  sampleRate?: number;
  extensible?: boolean;
  blockAlign?: number;
  /** What the data chunk claims, instead of its length. */
  dataSize?: number;
  /** Chunks between fmt and data, and after the data: ids with bodies. */
  before?: [string, Uint8Array][];
  after?: [string, Uint8Array][];
  form?: "RIFF" | "RF64" | "RIFX";
  skip?: "fmt " | "data";
}

const TAGS: Partial<Record<SampleEncoding, number>> = { f32le: 3, f64le: 3, alaw: 6, mulaw: 7 };

/** A WAV file around encoded samples. */
export function wavFile(data: Uint8Array, options: WavOptions = {}): Uint8Array {
  const {
    encoding = "s16le",
    channels = 1,
    sampleRate = 16_000,
    extensible = false,
    before = [],
    after = [],
  } = options;
  const sampleBytes = BYTES_PER_SAMPLE[encoding];
  const tag = TAGS[encoding] ?? 1;
  const fmt = new DataView(new ArrayBuffer(extensible ? 40 : 16));
  fmt.setUint16(0, extensible ? 0xfffe : tag, true);
  fmt.setUint16(2, channels, true);
  fmt.setUint32(4, sampleRate, true);
  fmt.setUint32(8, sampleRate * channels * sampleBytes, true);
  fmt.setUint16(12, options.blockAlign ?? channels * sampleBytes, true);
  fmt.setUint16(14, 8 * sampleBytes, true);
  if (extensible) {
    fmt.setUint16(16, 22, true);
    fmt.setUint16(18, 8 * sampleBytes, true);
    fmt.setUint16(24, tag, true);
    [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71].forEach((byte, i) =>
      fmt.setUint8(26 + i, byte)
    );
  }
  const chunks = [
    ...(options.skip === "fmt " ? [] : [chunk("fmt ", new Uint8Array(fmt.buffer))]),
    ...before.map(([id, body]) => chunk(id, body)),
    ...(options.skip === "data" ? [] : [chunk("data", data, options.dataSize)]),
    ...after.map(([id, body]) => chunk(id, body)),
  ];
  const body = joined([text("WAVE"), ...chunks]);
  return joined([text(options.form ?? "RIFF"), u32(body.length), body]);
}

/** One chunk, padded to an even length. */
function chunk(id: string, body: Uint8Array, size = body.length): Uint8Array {
  return joined([text(id), u32(size), body, new Uint8Array(body.length & 1)]);
}

/**
 * Floats of mono or interleaved channels, encoded as an integer or float kind that has no table.
 */
export function encode(
  floats: ArrayLike<number>,
  encoding: "u8" | "s16le" | "s24le" | "s32le" | "f32le" | "f64le",
): Uint8Array {
  const size = BYTES_PER_SAMPLE[encoding];
  const view = new DataView(new ArrayBuffer(size * floats.length));
  for (let i = 0; i < floats.length; i++) {
    const x = floats[i];
    if (encoding === "u8") view.setUint8(i, x * 128 + 128);
    if (encoding === "s16le") view.setInt16(2 * i, x * 32768, true);
    if (encoding === "s24le") {
      [0, 1, 2].forEach((byte) => view.setUint8(3 * i + byte, (x * 8388608) >> (8 * byte)));
    }
    if (encoding === "s32le") view.setInt32(4 * i, x * 2147483648, true);
    if (encoding === "f32le") view.setFloat32(4 * i, x, true);
    if (encoding === "f64le") view.setFloat64(8 * i, x, true);
  }
  return new Uint8Array(view.buffer);
}

/** A ds64 chunk's body. */
export function ds64(dataBytes: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(28));
  view.setBigUint64(8, BigInt(dataBytes), true);
  return new Uint8Array(view.buffer);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return bytes;
}

export function text(characters: string): Uint8Array {
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
