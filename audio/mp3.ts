/**
 * MPEG audio layer III, decoded by mpg123 (WebAssembly).
 *
 * The length that LAME or Xing info tells is honoured: encoder delay and padding are cut. A file
 * that ends inside a frame, or before the end that its info tells, is truncated: mpg123 would take
 * it for a short one, so frames are followed here too (mp3_frames.ts). As there are no checksums to
 * rely on, damage inside is skipped as any player does.
 */
import { MPEGDecoder } from "mpg123-decoder";
import type { ByteReader } from "./byte_reader.ts";
import {
  FRAMES_IN_A_ROW,
  framesInARow,
  FrameWalk,
  MAX_FRAME_BYTES,
  toldBytes,
} from "./mp3_frames.ts";
import { corrupt, mixDown, type OpenedAudio, truncated } from "./source.ts";

/** Fed at once: so little that even the tightest frames become seconds, not hours. */
const SLICE_BYTES = 4096;
/** How far into a file the first frame may begin. */
const SEARCH_BYTES = 4096;

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
    const told = toldBytes(reader.available);
    return {
      info: { kind: "mp3", ...header },
      chunks: decode(reader, { sampleRate: header.sampleRate, told }),
    };
  }
  return undefined;
}

/** @param told bytes from the first frame's on that its info tells of; 0 without */
async function* decode(
  reader: ByteReader,
  { sampleRate, told }: { sampleRate: number; told: number },
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const [frames, start] = [new FrameWalk(), reader.position];
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    let samples = 0;
    while (!await reader.atEnd()) {
      const slice = await reader.read(SLICE_BYTES);
      frames.push(slice);
      const decoded = decoder.decode(slice);
      if (decoded.errors.length > 0) {
        throw corrupt("mp3", `after ${samples} samples: ${decoded.errors[0].message}`);
      }
      if (decoded.samplesDecoded === 0) continue;
      if (decoded.sampleRate !== sampleRate) {
        throw corrupt("mp3", `its rate changes from ${sampleRate} to ${decoded.sampleRate} Hz`);
      }
      samples += decoded.samplesDecoded;
      yield mixDown(decoded.channelData); // two channels always, equal where the file is mono
    }
    const missing = Math.max(frames.missingBytes, told - (reader.position - start));
    if (missing > 0) {
      throw truncated("mp3", `${missing} bytes before the end that its headers tell of`);
    }
    if (samples === 0) throw corrupt("mp3", "it holds no whole frame");
  } finally {
    decoder.free();
  }
}
