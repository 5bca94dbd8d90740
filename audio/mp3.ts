/**
 * MPEG audio layer III, decoded by mpg123 (WebAssembly).
 *
 * The length that LAME or Xing info tells is honoured: encoder delay and padding are cut. As there are no checksums to rely on, damage
 * inside is skipped as any player does, and a last frame cut short is dropped; a file without one whole frame is an error.
 */
import { MPEGDecoder } from "mpg123-decoder";
import { ascii, type ByteReader, corrupt, mixDown, type OpenedAudio } from "./source.ts";

/** Fed at once: so little that even the tightest frames become seconds, not hours. */
const SLICE_BYTES = 4096;
/** How far into a file the first frame may begin. */
const SEARCH_BYTES = 4096;
/** Headers in a row that tell frames from chance; fewer where the file ends. */
const FRAMES_IN_A_ROW = 3;
const MAX_FRAME_BYTES = 1441;

interface FrameHeader {
  readonly bytes: number;
  readonly sampleRate: number;
  readonly channels: number;
}

/**
 * Opens MPEG audio where some frames in a row are found near the beginning.
 *
 * @returns undefined where they are not
 * @throws {CpcError} `invalid_audio`; while its chunks are read too
 */
export async function openMp3(reader: ByteReader): Promise<OpenedAudio | undefined> {
  await reader.fill(SEARCH_BYTES + FRAMES_IN_A_ROW * MAX_FRAME_BYTES);
  const bytes = reader.available;
  for (let at = 0; at < Math.min(SEARCH_BYTES, bytes.length); at++) {
    const header = framesInARow(bytes, at);
    if (!header) continue;
    reader.take(at);
    return { info: { kind: "mp3", ...header }, chunks: decode(reader, header.sampleRate) };
  }
  return undefined;
}

async function* decode(reader: ByteReader, sampleRate: number): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    let samples = 0;
    while (!await reader.atEnd()) {
      const decoded = decoder.decode(await reader.read(SLICE_BYTES));
      if (decoded.errors.length > 0) throw corrupt("mp3", `after ${samples} samples: ${decoded.errors[0].message}`);
      if (decoded.samplesDecoded === 0) continue;
      if (decoded.sampleRate !== sampleRate) {
        throw corrupt("mp3", `its rate changes from ${sampleRate} to ${decoded.sampleRate} Hz`);
      }
      samples += decoded.samplesDecoded;
      yield mixDown(decoded.channelData); // two channels always, equal where the file is mono
    }
    if (samples === 0) throw corrupt("mp3", "it holds no whole frame");
  } finally {
    decoder.free();
  }
}

/** The header at this place, if others of the same stream follow it, as many as there are bytes for. */
function framesInARow(bytes: Uint8Array, start: number): { sampleRate: number; channels: number } | undefined {
  const first = parseHeader(bytes, start);
  if (!first) return;
  for (let n = 1, at = start + first.bytes; n < FRAMES_IN_A_ROW && at + 4 <= bytes.length; n++) {
    if (ascii(bytes, at, 3) === "TAG") break;
    const header = parseHeader(bytes, at);
    if (header?.sampleRate !== first.sampleRate) return;
    at += header.bytes;
  }
  if (start > 0 && start + first.bytes > bytes.length) return;
  return { sampleRate: first.sampleRate, channels: first.channels };
}

/** Kilobits per second by index; layer III of MPEG-1, and of MPEG-2 and 2.5. */
const BIT_RATES = [
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
const SAMPLE_RATES = [44_100, 48_000, 32_000];

/** A layer III frame header at this place, if there is one. */
function parseHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  if (bytes[at] !== 0xff || (bytes[at + 1] & 0xe6) !== 0xe2) return; // sync, and layer III
  const version = (bytes[at + 1] >> 3) & 3; // 0: 2.5, 2: 2, 3: 1
  const bitRate = BIT_RATES[version === 3 ? 0 : 1][(bytes[at + 2] >> 4) - 1];
  const baseRate = SAMPLE_RATES[(bytes[at + 2] >> 2) & 3];
  if (version === 1 || bitRate === undefined || baseRate === undefined || (bytes[at + 3] & 3) === 2) return;
  const sampleRate = baseRate / [4, 1, 2, 1][version];
  const padding = (bytes[at + 2] >> 1) & 1;
  const channels = bytes[at + 3] >> 6 === 3 ? 1 : 2;
  return { bytes: Math.floor((version === 3 ? 144_000 : 72_000) * bitRate / sampleRate) + padding, sampleRate, channels };
}
