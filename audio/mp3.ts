/**
 * MPEG audio layer III, decoded by mpg123 (WebAssembly).
 *
 * The length in LAME or Xing info is honoured: encoder delay and padding are cut. A file that ends
 * inside a frame, or before the end that its info states, is truncated; one whose frames do not join
 * is corrupt. mpg123 would mistake either for a short one, so mp3_frames.ts follows the frames too.
 * Since there are no reliable checksums, damage between a frame's header and its end goes unseen.
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
import { corrupt, joinChannels, type OpenedAudio, type Split, truncated } from "./source.ts";

/** Bytes fed at once: few enough that even the smallest frames become seconds, not hours. */
const SLICE_BYTES = 4096;
/** How far into a file the first frame may begin. */
const SEARCH_BYTES = 4096;

/**
 * Opens MPEG audio, recognised by some consecutive frames near the start.
 *
 * @returns undefined when there are none
 * @throws {CpcError} `invalid_audio`, also while its chunks are read
 */
export async function openMp3(
  reader: ByteReader,
  { split }: Split,
): Promise<OpenedAudio | undefined> {
  await reader.fill(SEARCH_BYTES + FRAMES_IN_A_ROW * MAX_FRAME_BYTES);
  const bytes = reader.available;
  for (let at = 0; at < Math.min(SEARCH_BYTES, bytes.length); at++) {
    const header = framesInARow(bytes, at);
    if (!header) continue;
    reader.take(at);
    const told = toldBytes(reader.available);
    return {
      info: { kind: "mp3", ...header },
      chunks: decode(reader, { ...header, told, split }),
    };
  }
  return undefined;
}

/** @param told bytes from the first frame on, according to its info; 0 without info */
async function* decode(
  reader: ByteReader,
  { sampleRate, channels, told, split }: Split & {
    sampleRate: number;
    channels: number;
    told: number;
  },
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const [frames, start] = [new FrameWalk(), reader.position];
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    let samples = 0;
    while (!await reader.atEnd()) {
      const slice = await reader.read(SLICE_BYTES);
      const part = frames.push(slice);
      if (frames.damageAt !== undefined) {
        const at = start + frames.damageAt;
        throw corrupt("mp3", `no frame begins at byte ${at}, where the one before it ends`);
      }
      const decoded = decoder.decode(part);
      const [error] = decoded.errors;
      if (error) throw corrupt("mp3", `after ${samples} samples: ${error.message}`);
      if (decoded.samplesDecoded === 0) continue;
      if (decoded.sampleRate !== sampleRate) {
        throw corrupt("mp3", `its rate changes from ${sampleRate} to ${decoded.sampleRate} Hz`);
      }
      samples += decoded.samplesDecoded;
      // always two channels, equal when the file is mono
      yield joinChannels(decoded.channelData.slice(0, split ? channels : 2), { split });
    }
    const missing = Math.max(frames.missingBytes, told - (reader.position - start));
    if (missing > 0) {
      throw truncated("mp3", `${missing} bytes before the end that its headers state`);
    }
    if (samples === 0) throw corrupt("mp3", "it holds no whole frame");
  } finally {
    decoder.free();
  }
}
