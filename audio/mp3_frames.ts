/** Frames of MPEG audio layer III, recognised by their headers alone. */
import { ascii, viewOf } from "./byte_reader.ts";

/** Consecutive headers that rule out chance; fewer at the end of a file. */
export const FRAMES_IN_A_ROW = 3;
/** Bytes of the longest frame. */
export const MAX_FRAME_BYTES = 1441;

interface FrameHeader {
  readonly bytes: number;
  readonly sampleRate: number;
  readonly channels: number;
}

/** How the tags begin that mpg123 passes over: ID3, version 1 and 2. */
const TAGS: ReadonlySet<string> = new Set(["TAG", "ID3"]);
/** Bytes up to the end of the last of {@linkcode FRAMES_IN_A_ROW} headers, at the most. */
const MAX_ROW_BYTES = (FRAMES_IN_A_ROW - 1) * MAX_FRAME_BYTES + 4;

/**
 * Follows frames from header to header. An ID3 tag ends the walk. Anything else that is no header
 * is what follows the last frame, such as another tag or padding, unless frames come after it.
 */
export class FrameWalk {
  #bytes = new Uint8Array(0); // not yet walked over
  #walked = 0; // bytes before those
  #next = 0; // where the next header begins, counted from #bytes
  #isOver = false;
  #lostAt: number | undefined;
  #goesOn = false;

  /** @returns what of the slice is to be decoded: nothing from where a header was due */
  push(slice: Uint8Array): Uint8Array {
    if (this.#isOver || this.#goesOn) return slice;
    const from = this.#walked + this.#bytes.length;
    const bytes = new Uint8Array(this.#bytes.length + slice.length);
    bytes.set(this.#bytes);
    bytes.set(slice, this.#bytes.length);
    while (this.#next + 4 <= bytes.length && this.#lostAt === undefined && !this.#isOver) {
      const header = parseHeader(bytes, this.#next);
      if (header) this.#next += header.bytes;
      else if (TAGS.has(ascii(bytes, this.#next, 3))) this.#isOver = true;
      else this.#lostAt = this.#walked + this.#next;
    }
    if (this.#lostAt !== undefined) {
      for (let at = this.#next; at < bytes.length && !this.#goesOn; at++) {
        this.#goesOn = areFrames(bytes, at);
      }
      this.#next = Math.max(this.#next, bytes.length - MAX_ROW_BYTES);
    }
    const walked = Math.min(this.#next, bytes.length);
    this.#bytes = bytes.slice(walked);
    this.#walked += walked;
    this.#next -= walked;
    return slice.subarray(0, Math.max(0, (this.#lostAt ?? Infinity) - from));
  }

  /** Of the last frame. */
  get missingBytes(): number {
    return this.#isOver || this.#lostAt !== undefined ? 0 : this.#next;
  }

  /** Bytes from the first frame to where a frame is damaged or missing, with others behind it. */
  get damageAt(): number | undefined {
    return this.#goesOn ? this.#lostAt : undefined;
  }
}

/** Whether {@linkcode FRAMES_IN_A_ROW} frames of one rate begin at this place. */
function areFrames(bytes: Uint8Array, start: number): boolean {
  let rate: number | undefined;
  for (let n = 0, at = start; n < FRAMES_IN_A_ROW; n++) {
    const header = at + 4 <= bytes.length ? parseHeader(bytes, at) : undefined;
    if (!header || header.sampleRate !== (rate ??= header.sampleRate)) return false;
    at += header.bytes;
  }
  return true;
}

/**
 * The length in bytes, including this frame, stated by a first frame that holds info instead of
 * audio ("Xing", "Info", in LAME's layout); 0 if it holds none.
 */
export function toldBytes(bytes: Uint8Array): number {
  const [, id = 0, , mode = 0] = bytes.subarray(0, 4);
  const isVersion1 = ((id >> 3) & 3) === 3;
  const isMono = mode >> 6 === 3;
  const at = 4 + (isVersion1 ? (isMono ? 17 : 32) : (isMono ? 9 : 17));
  if (at + 16 > bytes.length || !["Xing", "Info"].includes(ascii(bytes, at, 4))) return 0;
  const view = viewOf(bytes);
  const flags = view.getUint32(at + 4);
  const [hasFrames, hasBytes] = [flags & 1, flags & 2];
  return hasBytes ? view.getUint32(at + (hasFrames ? 12 : 8)) : 0;
}

/** The header at this place, if others of the same stream follow, as far as there are bytes. */
export function framesInARow(
  bytes: Uint8Array,
  start: number,
): { sampleRate: number; channels: number } | undefined {
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
const BIT_RATES = {
  mpeg1: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  mpeg2: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};
const SAMPLE_RATES = [44_100, 48_000, 32_000];
/** What those are divided by, by version: MPEG-2.5, none, MPEG-2, MPEG-1. */
const RATE_DIVISORS = [4, undefined, 2, 1];

/** The layer III frame header at this place, if there is one. */
function parseHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  if (bytes[at] !== 0xff) return;
  const [, id = 0, rates = 0, mode = 0] = bytes.subarray(at, at + 4);
  if ((id & 0xe6) !== 0xe2) return; // sync, and layer III
  const version = (id >> 3) & 3;
  const bitRate = BIT_RATES[version === 3 ? "mpeg1" : "mpeg2"][(rates >> 4) - 1];
  const baseRate = SAMPLE_RATES[(rates >> 2) & 3];
  const divisor = RATE_DIVISORS[version];
  if (
    divisor === undefined || bitRate === undefined || baseRate === undefined || (mode & 3) === 2
  ) return;
  const sampleRate = baseRate / divisor;
  const padding = (rates >> 1) & 1;
  const channels = mode >> 6 === 3 ? 1 : 2;
  return {
    bytes: Math.floor((version === 3 ? 144_000 : 72_000) * bitRate / sampleRate) + padding,
    sampleRate,
    channels,
  };
}
