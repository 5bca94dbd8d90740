/** Audio files → mono at 16 kHz. The kind is told by the content, whatever the sender called it. */
import { CpcError } from "../errors.ts";
import { BYTES_PER_SAMPLE, toMono } from "./pcm.ts";
import { StreamingResampler } from "./resample.ts";
import { isWav, parseWav, type WavLayout } from "./riff.ts";

const TARGET_RATE = 16_000;
/** Bytes decoded between two turns of the event loop. */
const SLICE_BYTES = 256 * 1024;

/** A file whose samples can be read, as often as needed. */
export interface AudioClip {
  readonly kind: "wav";
  /** The file's own. */
  readonly sampleRate: number;
  readonly channels: number;
  readonly seconds: number;
  /** Samples at 16 kHz in all: ceil(N · 16000 / rate). */
  readonly samples: number;
  /** The samples from the first on, mono at 16 kHz, in pieces of up to a few seconds. */
  read(): Iterable<Float32Array<ArrayBuffer>>;
}

/**
 * Opens an audio file and checks it to its end, so that reading it cannot fail any more.
 *
 * @param options `maxSeconds`: the longest that is taken
 * @throws {CpcError} `unsupported_audio` for a kind that is not read; `invalid_audio` for a corrupt, truncated or empty file
 *   or samples that are not finite; `too_large` beyond `maxSeconds`
 */
export async function openAudio(bytes: Uint8Array, { maxSeconds }: { maxSeconds: number }): Promise<AudioClip> {
  if (bytes.length === 0) throw new CpcError("invalid_audio", "the audio is empty");
  if (!isWav(bytes)) {
    const start = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new CpcError("unsupported_audio", `the audio is of no kind that is read here (it begins with ${start}); send WAV`);
  }
  const layout = parseWav(bytes);
  const frames = layout.dataBytes / (layout.channels * BYTES_PER_SAMPLE[layout.encoding]);
  if (frames === 0) throw new CpcError("invalid_audio", "the audio holds no samples");
  const seconds = frames / layout.sampleRate;
  if (seconds > maxSeconds) {
    throw new CpcError("too_large", `the audio is ${seconds.toFixed(1)} s long; up to ${maxSeconds} s are taken`);
  }
  if (layout.encoding.startsWith("f")) { // only floats can hold what is no number
    for (const _ of mono(bytes, layout)) await new Promise((resolve) => setTimeout(resolve));
  }
  return {
    kind: "wav",
    sampleRate: layout.sampleRate,
    channels: layout.channels,
    seconds,
    samples: Math.ceil(frames * TARGET_RATE / layout.sampleRate),
    read: () => resampled(bytes, layout),
  };
}

function* mono(bytes: Uint8Array, { dataStart, dataBytes, encoding, channels }: WavLayout): Generator<Float32Array<ArrayBuffer>> {
  const block = channels * BYTES_PER_SAMPLE[encoding];
  const slice = Math.max(block, SLICE_BYTES - SLICE_BYTES % block);
  for (let at = 0; at < dataBytes; at += slice) {
    const part = bytes.subarray(dataStart + at, dataStart + Math.min(at + slice, dataBytes));
    yield toMono(part, { encoding, channels, firstSample: at / block }).slice();
  }
}

function* resampled(bytes: Uint8Array, layout: WavLayout): Generator<Float32Array<ArrayBuffer>> {
  if (layout.sampleRate === TARGET_RATE) return yield* mono(bytes, layout);
  const resampler = new StreamingResampler({ fromRate: layout.sampleRate, toRate: TARGET_RATE });
  for (const samples of mono(bytes, layout)) yield resampler.push(samples).slice();
  yield resampler.flush().slice();
}
