/** What a stream's binary messages hold. */
import { PCM_ENCODINGS } from "./pcm.ts";

/** Encodings that a decoder of Opus takes: bare packets, and the containers of recorders. */
export const OPUS_ENCODINGS = ["opus", "ogg-opus", "webm-opus"] as const;
/** One of {@linkcode OPUS_ENCODINGS}. */
export type OpusEncoding = (typeof OPUS_ENCODINGS)[number];
/** Sample rates of Opus, in Hz: a stream's samples may be counted at any of them. */
export const OPUS_RATES: readonly number[] = [8_000, 12_000, 16_000, 24_000, 48_000];

/** Encodings of a stream. */
export const STREAM_ENCODINGS = [...PCM_ENCODINGS, ...OPUS_ENCODINGS] as const;
/** One of {@linkcode STREAM_ENCODINGS}. */
export type StreamEncoding = (typeof STREAM_ENCODINGS)[number];

/** Whether a stream's messages are packets or parts of a container, not samples. */
export function isOpus(encoding: StreamEncoding): encoding is OpusEncoding {
  return (OPUS_ENCODINGS as readonly string[]).includes(encoding);
}
