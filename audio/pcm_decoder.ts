/** A stream of raw audio: messages of any size → floats at the stream's own rate. */
import { CpcError } from "../errors.ts";
import {
  BYTES_PER_SAMPLE,
  MAX_STREAM_CHANNELS,
  PCM_ENCODINGS,
  type PcmEncoding,
  toInterleaved,
  toMono,
} from "./pcm.ts";

/** What a {@linkcode PcmDecoder} remembers between messages. It can be structured-cloned. */
export interface PcmSnapshot {
  readonly samples: number;
  readonly pending: Uint8Array;
}

/** How a stream's bytes are laid out. */
export interface PcmOptions {
  encoding: PcmEncoding;
  /** 1…8, interleaved. */
  channels?: number;
  /** The channel to use, 0-based; by default the mean of all. */
  channel?: number;
  /** Gives every channel, interleaved, instead of mono. */
  split?: boolean;
}

/**
 * Turns messages of raw audio into floats, mono or of every channel; samples may be split anywhere
 * between messages.
 *
 * @throws {CpcError} `invalid_option` for an unknown encoding or a channel that does not exist
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { PcmDecoder } from "./pcm_decoder.ts";
 *
 * const decoder = new PcmDecoder({ encoding: "s16le" });
 * assert.deepEqual([...decoder.push(Uint8Array.of(0x00, 0x80, 0xff))], [-1]);
 * assert.equal(decoder.push(Uint8Array.of(0x7f)).length, 1); // its first byte was held back
 * ```
 */
export class PcmDecoder {
  readonly encoding: PcmEncoding;
  readonly channels: number;
  readonly channel: number | undefined;
  readonly split: boolean;
  /** Bytes of one sample of every channel. */
  readonly frameBytes: number;
  #samples = 0;
  #pending: Uint8Array; // [frameBytes], of which pendingBytes count
  #pendingBytes = 0;

  constructor({ encoding, channels = 1, channel, split = false }: PcmOptions) {
    if (!PCM_ENCODINGS.includes(encoding)) {
      throw invalidOption(
        "encoding",
        `must be one of ${PCM_ENCODINGS.join(", ")}, got ${encoding}`,
      );
    }
    if (!Number.isInteger(channels) || channels < 1 || channels > MAX_STREAM_CHANNELS) {
      throw invalidOption("channels", `must be 1 to ${MAX_STREAM_CHANNELS}, got ${channels}`);
    }
    if (
      channel !== undefined && (!Number.isInteger(channel) || channel < 0 || channel >= channels)
    ) {
      throw invalidOption(
        "channel",
        `must be 0 to ${channels - 1} with ${channels} channels, got ${channel}`,
      );
    }
    this.encoding = encoding;
    this.channels = channels;
    this.channel = channel;
    this.split = split;
    this.frameBytes = BYTES_PER_SAMPLE[encoding] * channels;
    this.#pending = new Uint8Array(this.frameBytes);
  }

  /** Samples per channel decoded so far. */
  get samples(): number {
    return this.#samples;
  }

  /** Bytes held back because their sample (of all channels) is not complete. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Decodes the samples that a message completes.
   *
   * @param bytes any number of bytes, even none
   * @returns samples at the stream's own rate, mono or `[n, channels]`; empty while none is
   *   complete
   * @throws {CpcError} `invalid_audio` for a NaN or infinite sample
   */
  push(bytes: Uint8Array): Float32Array<ArrayBuffer> {
    const total = this.#pendingBytes + bytes.length;
    const whole = total - (total % this.frameBytes);
    if (whole === 0) {
      this.#pending.set(bytes, this.#pendingBytes);
      this.#pendingBytes = total;
      return new Float32Array(0);
    }
    let frames = bytes;
    if (this.#pendingBytes > 0) {
      frames = new Uint8Array(whole);
      frames.set(this.#pending.subarray(0, this.#pendingBytes));
      frames.set(bytes.subarray(0, whole - this.#pendingBytes), this.#pendingBytes);
    } else if (whole < bytes.length) {
      frames = bytes.subarray(0, whole);
    }
    const { encoding, channels, channel, split } = this;
    const layout = { encoding, channels, firstSample: this.#samples };
    const floats = split ? toInterleaved(frames, layout) : toMono(frames, { ...layout, channel });
    this.#pending.set(bytes.subarray(whole - this.#pendingBytes));
    this.#pendingBytes = total - whole;
    this.#samples += whole / this.frameBytes;
    return floats;
  }

  /** Forgets everything, and counts from sample 0 without pending bytes. */
  reset(): void {
    this.#samples = 0;
    this.#pendingBytes = 0;
  }

  /** The state as a value. */
  snapshot(): PcmSnapshot {
    return { samples: this.#samples, pending: this.#pending.slice(0, this.#pendingBytes) };
  }

  /** Continues from a {@linkcode snapshot} taken with the same options. */
  restore({ samples, pending }: PcmSnapshot): void {
    if (pending.length >= this.frameBytes) throw new RangeError("a snapshot of other options");
    this.#samples = samples;
    this.#pending.set(pending);
    this.#pendingBytes = pending.length;
  }
}

function invalidOption(param: string, problem: string): CpcError {
  return new CpcError("invalid_option", `${param} ${problem}`, { param });
}
