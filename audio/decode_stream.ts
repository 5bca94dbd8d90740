/**
 * Bytes of any known kind → samples at 16 kHz, mono or of every channel. The decoding workers run
 * this.
 */
import { CpcError } from "../errors.ts";
import { ByteReader } from "./byte_reader.ts";
import { ChannelResampler } from "./channels.ts";
import { openAudio } from "./open.ts";
import { rechunk } from "./rechunk.ts";
import { MAX_RESAMPLER_RATE, MIN_RESAMPLER_RATE } from "./resample.ts";
import {
  type AudioInfo,
  type AudioSummary,
  corrupt,
  type DecodedAmount,
  type OpenedAudio,
  type Split,
} from "./source.ts";

/** Rate of decoded audio, in Hz. */
export const DECODED_SAMPLE_RATE = 16_000;
/** Samples of a chunk (of each channel): one second. The last chunk may be shorter. */
export const CHUNK_SAMPLES = DECODED_SAMPLE_RATE;

/**
 * Decodes a file to chunks at 16 kHz of {@linkcode CHUNK_SAMPLES}.
 *
 * @param options `maxSeconds`: most audio; `split`: gives every channel, `[n, channels]`, instead
 *   of mono; `onInfo`: called once, before the first chunk
 * @throws {CpcError} as {@linkcode openAudio}; `invalid_audio` also for a file without samples;
 *   `too_large` beyond `maxSeconds`
 */
export async function* decodeStream(
  source: AsyncIterable<Uint8Array>,
  { maxSeconds = Infinity, split = false, onInfo }: Partial<Split> & {
    maxSeconds?: number;
    onInfo?: (info: AudioInfo) => void;
  },
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const reader = new ByteReader(source);
  try {
    const { info, decodedRate, chunks } = await openWithin(reader, { maxSeconds, split });
    onInfo?.(info);
    const channels = split ? info.channels : 1;
    const resampler = new ChannelResampler({
      channels,
      fromRate: decodedRate,
      toRate: DECODED_SAMPLE_RATE,
    });
    let total = 0;
    for await (const chunk of rechunk(resampled(chunks, resampler), channels * CHUNK_SAMPLES)) {
      total += chunk.length / channels;
      refuseLonger(total / DECODED_SAMPLE_RATE, maxSeconds);
      yield chunk;
    }
    if (total === 0) throw corrupt(info.kind, "it holds no samples");
  } finally {
    await reader.close();
  }
}

/**
 * Decodes a file to its end, only to learn whether this works and how long the file is.
 *
 * @param options `maxSeconds`: most audio; `onInfo`: called once, before anything is decoded;
 *   `onProgress`: told how much was decoded so far, and awaited, after each piece
 * @throws {CpcError} as {@linkcode decodeStream}
 */
export async function measureStream(
  source: AsyncIterable<Uint8Array>,
  { maxSeconds = Infinity, onInfo, onProgress }: {
    maxSeconds?: number;
    onInfo?: (info: AudioInfo) => void;
    onProgress?: (decoded: DecodedAmount) => Promise<void>;
  },
): Promise<AudioSummary> {
  const reader = new ByteReader(source);
  try {
    const { info, decodedRate, chunks } = await openWithin(reader, { maxSeconds, split: false });
    onInfo?.(info);
    let total = 0;
    for await (const chunk of chunks) {
      total += chunk.length;
      refuseLonger(total / decodedRate, maxSeconds);
      await onProgress?.({ seconds: total / decodedRate, samples: total * info.channels });
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

/** Opens a file and checks its header against the bounds. */
async function openWithin(
  reader: ByteReader,
  { maxSeconds, split }: Split & { maxSeconds: number },
): Promise<OpenedAudio & { decodedRate: number }> {
  const opened = await openAudio(reader, { split });
  const { kind, sampleRate, totalSamples = 0 } = opened.info;
  if (sampleRate < MIN_RESAMPLER_RATE || sampleRate > MAX_RESAMPLER_RATE) {
    throw corrupt(
      kind,
      `its sample rate is ${sampleRate} Hz; rates from ${MIN_RESAMPLER_RATE} to ` +
        `${MAX_RESAMPLER_RATE} are supported`,
    );
  }
  refuseLonger(totalSamples / sampleRate, maxSeconds);
  return { ...opened, decodedRate: opened.decodedRate ?? sampleRate };
}

function refuseLonger(seconds: number, maxSeconds: number): void {
  if (seconds > maxSeconds) {
    throw new CpcError(
      "too_large",
      `the audio is longer than the limit of ${maxSeconds} s; send it in parts`,
    );
  }
}

async function* resampled(
  chunks: AsyncIterable<Float32Array<ArrayBuffer>>,
  resampler: ChannelResampler,
) {
  for await (const chunk of chunks) yield resampler.push(chunk);
  yield resampler.flush();
}
