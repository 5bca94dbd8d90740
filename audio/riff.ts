/** RIFF/WAVE: the header, then samples by the piece. */
import { CpcError } from "../errors.ts";
import { BYTES_PER_SAMPLE, type SampleEncoding } from "./pcm.ts";

/** Where a file's samples are and how they are stored. */
export interface WavLayout {
  readonly encoding: SampleEncoding;
  readonly sampleRate: number;
  readonly channels: number;
  /** First byte of the samples, and how many bytes of whole sample frames follow. */
  readonly dataStart: number;
  readonly dataBytes: number;
}

const PCM = 1;
const FLOAT = 3;
const ALAW = 6;
const MULAW = 7;
const EXTENSIBLE = 0xfffe;
/** The sizes that a writer leaves when it cannot seek back: read to the end. */
const UNKNOWN_SIZES = new Set([0, 0xffffffff]);
/** A converter's lowest and highest rate. */
const RATES = { min: 1_000, max: 768_000 };
const MAX_CHANNELS = 64;

/** Whether bytes begin as a WAV file does; one that is cut short inside its first 12 bytes counts. */
export function isWav(bytes: Uint8Array): boolean {
  const id = ascii(bytes, 0);
  return (id === "RIFF" || id === "RF64") && (bytes.length < 12 || ascii(bytes, 8) === "WAVE");
}

/**
 * Finds the samples of a WAV file: PCM 8 to 32 bits, float 32 and 64, µ-law, A-law, also as EXTENSIBLE; RF64 too.
 *
 * @throws {CpcError} `invalid_audio` for a header or data that is malformed, cut short or empty; `unsupported_audio` for a codec that is not read
 */
export function parseWav(bytes: Uint8Array): WavLayout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Omit<WavLayout, "dataStart" | "dataBytes"> | undefined;
  let longDataBytes: number | undefined; // of an RF64 file
  let at = 12;
  while (at + 8 <= bytes.length) {
    const id = ascii(bytes, at);
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (id === "data") {
      if (!format) throw invalid("its data comes before its fmt chunk");
      const claimed = size === 0xffffffff && longDataBytes !== undefined ? longDataBytes : size;
      return { ...format, dataStart: start, dataBytes: dataSize(claimed, bytes.length - start, format) };
    }
    if (start + size > bytes.length) {
      throw invalid(`chunk ${JSON.stringify(id)} claims ${size} bytes, ${bytes.length - start} are there: it is cut short`);
    }
    if (id === "fmt ") format = parseFormat(view, { start, size });
    if (id === "ds64" && size >= 16) longDataBytes = Number(view.getBigUint64(start + 8, true));
    at = start + size + (size & 1);
  }
  throw invalid(format ? "it has no data chunk: it is cut short" : "it has no fmt chunk: it is cut short");
}

function parseFormat(view: DataView, { start, size }: { start: number; size: number }) {
  if (size < 16) throw invalid(`its fmt chunk has ${size} bytes, fewer than 16`);
  let tag = view.getUint16(start, true);
  const channels = view.getUint16(start + 2, true);
  const sampleRate = view.getUint32(start + 4, true);
  const blockAlign = view.getUint16(start + 12, true);
  const bits = view.getUint16(start + 14, true);
  if (tag === EXTENSIBLE) {
    if (size < 40) throw invalid(`its EXTENSIBLE fmt chunk has ${size} bytes, fewer than 40`);
    tag = view.getUint16(start + 24, true); // the sub-format GUID begins with the plain tag
  }
  if (channels < 1 || channels > MAX_CHANNELS) throw invalid(`it has ${channels} channels; 1 to ${MAX_CHANNELS} are read`);
  if (sampleRate < RATES.min || sampleRate > RATES.max) {
    throw invalid(`its sample rate is ${sampleRate} Hz; ${RATES.min} to ${RATES.max} are read`);
  }
  const encoding = encodingOf(tag, bits);
  if (blockAlign !== channels * BYTES_PER_SAMPLE[encoding]) {
    throw invalid(
      `its blocks have ${blockAlign} bytes, ${channels} channels of ${bits} bits need ${channels * BYTES_PER_SAMPLE[encoding]}`,
    );
  }
  return { encoding, sampleRate, channels };
}

function encodingOf(tag: number, bits: number): SampleEncoding {
  const known: Record<string, SampleEncoding> = {
    [`${PCM}/8`]: "u8",
    [`${PCM}/16`]: "s16le",
    [`${PCM}/24`]: "s24le",
    [`${PCM}/32`]: "s32le",
    [`${FLOAT}/32`]: "f32le",
    [`${FLOAT}/64`]: "f64le",
    [`${ALAW}/8`]: "alaw",
    [`${MULAW}/8`]: "mulaw",
  };
  const encoding = known[`${tag}/${bits}`];
  if (encoding) return encoding;
  throw new CpcError(
    "unsupported_audio",
    `a WAV file of format ${tag} with ${bits} bits is not read; PCM of 8, 16, 24 and 32 bits, float of 32 and 64, µ-law and A-law are`,
  );
}

function dataSize(
  claimed: number,
  present: number,
  { channels, encoding }: { channels: number; encoding: SampleEncoding },
): number {
  const block = channels * BYTES_PER_SAMPLE[encoding];
  if (UNKNOWN_SIZES.has(claimed)) {
    const whole = present - present % block;
    if (whole === 0) throw invalid("it holds no samples");
    return whole;
  }
  if (claimed > present) throw invalid(`its data chunk claims ${claimed} bytes, ${present} are there: it is cut short`);
  if (claimed % block !== 0) throw invalid(`its data has ${claimed} bytes, no whole number of ${block}-byte sample frames`);
  return claimed;
}

function invalid(why: string): CpcError {
  return new CpcError("invalid_audio", `this WAV file cannot be read: ${why}`);
}

function ascii(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
