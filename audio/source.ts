/** Shared by the readers of all kinds of audio: a file's header, its content, its errors. */
import { CpcError } from "../errors.ts";
import { interleave } from "./channels.ts";

/** Supported kinds of audio. */
export const AUDIO_KINDS = ["wav", "flac", "ogg-flac", "ogg-opus", "ogg-vorbis", "mp3"] as const;
/** One of {@linkcode AUDIO_KINDS}. */
export type AudioKind = (typeof AUDIO_KINDS)[number];
/** Also what only streams send. */
export type SourceKind = AudioKind | "ogg" | "opus" | "webm-opus";

/** What a file's header says. */
export interface AudioInfo {
  readonly kind: AudioKind;
  /** In Hz; 48000 for every Opus file, whose decoder may be asked for any rate. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples per channel, if the header states them. */
  readonly totalSamples?: number;
}

/** What a whole file turned out to hold. */
export interface AudioSummary extends AudioInfo {
  readonly seconds: number;
  /** Its number of samples at 16 kHz. */
  readonly samples: number;
}

/** Audio that was decoded, before it was mixed and resampled. */
export interface DecodedAmount {
  readonly seconds: number;
  /** Over all channels. */
  readonly samples: number;
}

/** A file whose header was read. */
export interface OpenedAudio {
  readonly info: AudioInfo;
  /** Rate of the chunks in Hz, if it differs from the file's own. */
  readonly decodedRate?: number;
  /** Chunks of bounded length: mono, or `[n, channels]` as {@linkcode Split} asks. */
  readonly chunks: AsyncGenerator<Float32Array<ArrayBuffer>>;
}

/** How a file's channels are given. */
export interface Split {
  /** All of them, interleaved, instead of their mean. */
  readonly split: boolean;
}

/** The error for a file that breaks its kind's rules. */
export function corrupt(kind: SourceKind, problem: string, cause?: unknown): CpcError {
  return new CpcError("invalid_audio", `this ${named(kind)} cannot be decoded: ${problem}`, {
    cause,
  });
}

/** The error for a file that ends too early. */
export function truncated(kind: SourceKind, where: string): CpcError {
  return corrupt(kind, `it is truncated: it ends ${where}`);
}

/** The error for a file of a known kind that uses an unsupported feature. */
export function unsupported(kind: SourceKind, feature: string): CpcError {
  return new CpcError(
    "unsupported_audio",
    `this ${named(kind)} uses ${feature}, which is not supported`,
  );
}

function named(kind: SourceKind): string {
  return kind === "opus" || kind === "webm-opus" ? `${kind} stream` : `${kind} file`;
}

/** Channels of equal length, as the decoders return them, in one array. */
export function joinChannels(
  channelData: readonly Float32Array[],
  { split }: Split,
): Float32Array<ArrayBuffer> {
  return split ? interleave(channelData) : mixDown(channelData);
}

function mixDown(channelData: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const mono = new Float32Array(channelData[0]?.length ?? 0);
  for (let i = 0; i < mono.length; i++) {
    let sum = 0;
    for (const channel of channelData) sum += channel[i]!;
    mono[i] = sum / channelData.length;
  }
  return mono;
}
