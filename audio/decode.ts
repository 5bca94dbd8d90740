/**
 * Audio files → samples at 16 kHz, mono or of every channel, decoded off the main thread by a few
 * workers that start on demand.
 *
 * WAV, FLAC (also in Ogg), Ogg Opus, Ogg Vorbis and MP3, recognised by content. Decoding stays one
 * chunk ahead of the reader and takes 256 KB of the file at a time, so memory stays bounded for
 * files of any length.
 */
import { CpcError } from "../errors.ts";
import type { DecodeAnswer } from "./decode_worker.ts";
import { decoders } from "./decoders.ts";
import { joinChunks } from "./rechunk.ts";
import type { AudioInfo, AudioSummary, DecodedAmount } from "./source.ts";

export { decoders, streamDecoders } from "./decoders.ts";
export {
  AUDIO_KINDS,
  type AudioInfo,
  type AudioKind,
  type AudioSummary,
  type DecodedAmount,
} from "./source.ts";

/** A file's bytes, whole or as they arrive. */
export type AudioSource = Uint8Array | AsyncIterable<Uint8Array>;

/** How a file is decoded. */
export interface DecodeOptions {
  /** Most audio, in seconds; longer files are `too_large`. By default there is no limit. */
  maxSeconds?: number;
  /** Gives every channel, `[n, channels]`, instead of mono. */
  split?: boolean;
  /** Aborting it ends the decoding with the signal's reason. */
  signal?: AbortSignal;
}

/** How a file is measured; whatever these throw ends the decoding. */
export interface MeasureOptions extends Omit<DecodeOptions, "split"> {
  /** Told what the header states, if it states a length, before anything is decoded. */
  onStated?: (stated: DecodedAmount) => void;
  /** Told of what was decoded since it was last called. */
  onDecoded?: (decoded: DecodedAmount) => void;
}

/**
 * A file being decoded. Iterate it once for chunks at 16 kHz of one second each; the last may be
 * shorter.
 */
export interface DecodedAudio extends AsyncIterable<Float32Array<ArrayBuffer>> {
  /** What the file's header says; known with the first chunk. */
  readonly info: AudioInfo | undefined;
}

const SLICE_BYTES = 256 * 1024;

/**
 * Decodes a file as it arrives.
 *
 * @returns an iterable that throws `invalid_audio` for a corrupt, truncated or empty file,
 *   `unsupported_audio` for an unknown kind, `too_large` beyond `maxSeconds`
 */
export function decodeAudio(source: AudioSource, options: DecodeOptions = {}): DecodedAudio {
  let info: AudioInfo | undefined;
  async function* chunks() {
    for await (const event of converse("decode", source, options)) {
      if (event.type === "info") info = event.info;
      if (event.type === "chunk") yield event.samples;
    }
  }
  const iterator = chunks();
  return {
    get info() {
      return info;
    },
    [Symbol.asyncIterator]: () => iterator,
  };
}

/**
 * Decodes a whole file.
 *
 * @returns its samples, mono at 16 kHz; `sampleRate` and `channels` are the file's own
 * @throws {CpcError} as {@linkcode decodeAudio}
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { decodeAll, decoders } from "./decode.ts";
 *
 * const file = await Deno.readFile("tests/fixtures/speech/russian.wav");
 * const { samples, kind } = await decodeAll(file);
 * assert.equal(kind, "wav");
 * assert.equal(samples.length, 51_368);
 * decoders.close();
 * ```
 */
export async function decodeAll(
  source: AudioSource,
  options: Omit<DecodeOptions, "split"> = {},
): Promise<AudioInfo & { samples: Float32Array<ArrayBuffer>; seconds: number }> {
  const decoded = decodeAudio(source, options);
  const samples = joinChunks(await Array.fromAsync(decoded));
  if (!decoded.info) {
    throw new CpcError("internal", "a decoder gave samples without describing them");
  }
  return { ...decoded.info, samples, seconds: samples.length / 16_000 };
}

/**
 * Decodes a file to its end without keeping it. After this, {@linkcode decodeAudio} of the same
 * bytes does not fail.
 *
 * @throws {CpcError} as {@linkcode decodeAudio}
 */
export async function measureAudio(
  source: AudioSource,
  options: MeasureOptions = {},
): Promise<AudioSummary> {
  let last = { seconds: 0, samples: 0 };
  for await (const event of converse("measure", source, options)) {
    if (event.type === "info") {
      const { totalSamples = 0, sampleRate, channels } = event.info;
      options.onStated?.({ seconds: totalSamples / sampleRate, samples: totalSamples * channels });
    }
    if (event.type === "progress") {
      const { seconds, samples } = event.decoded;
      options.onDecoded?.({ seconds: seconds - last.seconds, samples: samples - last.samples });
      last = event.decoded;
    }
    if (event.type === "done" && event.summary) return event.summary;
  }
  throw new CpcError("internal", "a decoder ended without an answer");
}

/** One job with a worker: feeds it the bytes it needs, and passes its answers on. */
async function* converse(
  type: "decode" | "measure",
  source: AudioSource,
  { maxSeconds = Infinity, split = false, signal }: DecodeOptions,
): AsyncGenerator<DecodeAnswer> {
  signal?.throwIfAborted();
  const slices = slicesOf(source);
  const job = decoders.open({ type, maxSeconds, split });
  const abort = () => job.fail(signal?.reason);
  signal?.addEventListener("abort", abort);
  let reading = false;
  try {
    job.send({ type: "pull" });
    for (;;) {
      const event = await job.next();
      if (event.type === "need") {
        reading = true;
        // the source may never answer
        const { value, done } = await Promise.race([slices.next(), job.failed]);
        reading = false;
        if (done) job.send({ type: "bytes", bytes: null });
        else job.send({ type: "bytes", bytes: value }, [value.buffer]);
        continue;
      }
      if (event.type === "error") throw new CpcError(event.code, event.message);
      // the next one is decoded while this one is used
      if (event.type === "chunk") job.send({ type: "pull" });
      yield event;
      if (event.type === "done") return;
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    job.close();
    const returned = slices.return(undefined);
    if (reading) returned.catch(() => {}); // it waits for the source's answer
    else await returned;
  }
}

/** Copies of at most {@linkcode SLICE_BYTES}, for transfer. */
async function* slicesOf(source: AudioSource): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined> {
  for await (const bytes of source instanceof Uint8Array ? [source] : source) {
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      yield new Uint8Array(bytes.subarray(at, at + SLICE_BYTES));
    }
  }
}
