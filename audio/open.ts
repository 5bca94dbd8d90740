/** From bytes of any known kind to mono at 16 kHz: what the decoding workers run. */
import { CpcError } from "../errors.ts";
import { skipId3 } from "./id3.ts";
import { MAX_RESAMPLER_RATE, MIN_RESAMPLER_RATE, StreamingResampler } from "./resample.ts";
import {
  ascii,
  AUDIO_KINDS,
  type AudioInfo,
  type AudioSummary,
  ByteReader,
  corrupt,
  type OpenedAudio,
} from "./source.ts";
import { isWav, openWav } from "./wav.ts";

/** Rate of all that comes out, in Hz. */
export const DECODED_SAMPLE_RATE = 16_000;
/** Samples of a chunk: a second; the last one may be shorter. */
export const CHUNK_SAMPLES = DECODED_SAMPLE_RATE;

/**
 * Tells a file's kind by its content and reads its header.
 *
 * @throws {CpcError} `unsupported_audio` for an unknown kind; `invalid_audio` for an empty file or
 *   a broken header
 */
export async function openAudio(reader: ByteReader): Promise<OpenedAudio> {
  if (await reader.atEnd()) {
    throw new CpcError("invalid_audio", "the audio is empty: it has 0 bytes");
  }
  await skipId3(reader);
  if (await reader.atEnd()) {
    throw new CpcError(
      "invalid_audio",
      "the audio is truncated, it ends in its ID3 tag or after it",
    );
  }
  await reader.fill(12);
  const head = reader.available.slice(0, 12);
  if (isWav(head)) return await openWav(reader);
  // The decoders are imported when they are needed: a worker that reads WAV starts in a fraction of
  // the time.
  if (ascii(head) === "fLaC") return await (await import("./flac.ts")).openFlac(reader);
  const opened = ascii(head) === "OggS"
    ? await (await import("./ogg.ts")).openOgg(reader)
    : await (await import("./mp3.ts")).openMp3(reader);
  if (opened) return opened;
  const cutShort = head.length < 12 &&
    ["RIFF", "fLaC", "OggS"].some((magic) => magic.startsWith(ascii(head)));
  const shown = [...head.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(
    " ",
  );
  throw new CpcError(
    cutShort ? "invalid_audio" : "unsupported_audio",
    cutShort
      ? `the audio is truncated, it has ${head.length} bytes (${shown})`
      : `the audio is of no known kind (it begins with the bytes ${shown}); known are ${
        AUDIO_KINDS.join(", ")
      }`,
  );
}

/**
 * Decodes a file to mono chunks at 16 kHz of {@linkcode CHUNK_SAMPLES}.
 *
 * @param options `maxSeconds`: how much audio is taken; `onInfo`: told once, before the first chunk
 * @throws {CpcError} as {@linkcode openAudio}; `invalid_audio` also for a file without samples;
 *   `too_large` beyond `maxSeconds`
 */
export async function* decodeStream(
  source: AsyncIterable<Uint8Array>,
  { maxSeconds = Infinity, onInfo }: { maxSeconds?: number; onInfo?: (info: AudioInfo) => void },
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const reader = new ByteReader(source);
  let chunks: OpenedAudio["chunks"] | undefined;
  try {
    const { info, decodedRate = info.sampleRate, chunks: decoded } = await openAudio(reader);
    chunks = decoded;
    if (info.sampleRate < MIN_RESAMPLER_RATE || info.sampleRate > MAX_RESAMPLER_RATE) {
      throw corrupt(
        info.kind,
        `its sample rate is ${info.sampleRate} Hz, ${MIN_RESAMPLER_RATE} to ${MAX_RESAMPLER_RATE} are read`,
      );
    }
    refuseLonger((info.totalSamples ?? 0) / info.sampleRate, maxSeconds);
    onInfo?.(info);
    const resampler = new StreamingResampler({
      fromRate: decodedRate,
      toRate: DECODED_SAMPLE_RATE,
    });
    let total = 0;
    for await (const chunk of rechunk(resampled(chunks, resampler))) {
      total += chunk.length;
      refuseLonger(total / DECODED_SAMPLE_RATE, maxSeconds);
      yield chunk;
    }
    if (total === 0) throw corrupt(info.kind, "it holds no samples");
  } finally {
    await chunks?.return(undefined);
    await reader.close();
  }
}

/**
 * Decodes a file to its end only to learn whether that works, and how long it is.
 *
 * @param options `maxSeconds`: how much audio is taken; `onProgress`: awaited after each piece
 * @throws {CpcError} as {@linkcode decodeStream}
 */
export async function measureStream(
  source: AsyncIterable<Uint8Array>,
  { maxSeconds = Infinity, onProgress }: { maxSeconds?: number; onProgress?: () => Promise<void> },
): Promise<AudioSummary> {
  const reader = new ByteReader(source);
  try {
    const { info, decodedRate, chunks } = await openWithin(reader, maxSeconds);
    let total = 0;
    for await (const chunk of chunks) {
      total += chunk.length;
      refuseLonger(total / decodedRate, maxSeconds);
      await onProgress?.();
    }
    if (total === 0) throw corrupt(info.kind, "it holds no samples");
    return {
      ...info,
      seconds: total / decodedRate,
      samples: Math.ceil(total * DECODED_SAMPLE_RATE / decodedRate),
    };
  } finally {
    await reader.close();
  }
}

/** Opens a file and holds its header to the bounds. */
async function openWithin(
  reader: ByteReader,
  maxSeconds: number,
): Promise<OpenedAudio & { decodedRate: number }> {
  const opened = await openAudio(reader);
  const { kind, sampleRate, totalSamples = 0 } = opened.info;
  if (sampleRate < MIN_RESAMPLER_RATE || sampleRate > MAX_RESAMPLER_RATE) {
    throw corrupt(
      kind,
      `its sample rate is ${sampleRate} Hz, ${MIN_RESAMPLER_RATE} to ${MAX_RESAMPLER_RATE} are read`,
    );
  }
  refuseLonger(totalSamples / sampleRate, maxSeconds);
  return { ...opened, decodedRate: opened.decodedRate ?? sampleRate };
}

function refuseLonger(seconds: number, maxSeconds: number): void {
  if (seconds > maxSeconds) {
    throw new CpcError(
      "too_large",
      `the audio is longer than ${maxSeconds} s, the most that is taken; send it in parts`,
    );
  }
}

async function* resampled(
  chunks: AsyncIterable<Float32Array<ArrayBuffer>>,
  resampler: StreamingResampler,
) {
  for await (const chunk of chunks) yield resampler.push(chunk);
  yield resampler.flush();
}

/** The same samples in chunks of one length. */
async function* rechunk(
  pieces: AsyncIterable<Float32Array<ArrayBuffer>>,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  let chunk = new Float32Array(CHUNK_SAMPLES);
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + CHUNK_SAMPLES - filled);
      chunk.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled === CHUNK_SAMPLES) {
        yield chunk;
        chunk = new Float32Array(CHUNK_SAMPLES);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield chunk.slice(0, filled);
}
