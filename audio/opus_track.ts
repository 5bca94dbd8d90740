/** One run of Opus packets, decoded by libopus (WebAssembly) straight to 16 kHz. */
import { OpusDecoder } from "opus-decoder";
import { viewOf } from "./byte_reader.ts";
import { corrupt, joinChannels, type SourceKind, unsupported } from "./source.ts";

/** Rate of Opus's own clock, in Hz: positions and the pre-skip count its samples. */
export const OPUS_RATE = 48_000;
/** Rate of what is decoded, in Hz. */
export const DECODED_RATE = 16_000;
/** Samples of the clock for each that is decoded. */
const PER_SAMPLE = OPUS_RATE / DECODED_RATE;
/** Bytes of the decoder's own buffer, for each channel: 120 ms at 256 kbit/s. */
const MAX_PACKET_BYTES = 3_840;

/** What an `OpusHead` (RFC 7845, 5.1) says. */
export interface OpusHead {
  readonly channels: number;
  /** In samples at 48 kHz. */
  readonly preSkip: number;
  /** Linear. */
  readonly gain: number;
  readonly streams: number;
  readonly coupledStreams: number;
  readonly mapping: readonly number[];
}

/** The head of packets that come without one. @param channels 1 or 2 */
export function plainHead(channels: number): OpusHead {
  const mapping = Array.from({ length: channels }, (_, channel) => channel);
  return { channels, preSkip: 0, gain: 1, streams: 1, coupledStreams: channels - 1, mapping };
}

/**
 * Reads an `OpusHead`.
 *
 * @throws {CpcError} `invalid_audio`, `unsupported_audio`
 */
export function parseHead(packet: Uint8Array, kind: SourceKind): OpusHead {
  if (packet.length < 19) {
    throw corrupt(kind, `its head has ${packet.length} bytes; it needs at least 19`);
  }
  const view = viewOf(packet);
  const version = view.getUint8(8);
  const channels = view.getUint8(9);
  const family = view.getUint8(18);
  if (version >> 4 !== 0) throw unsupported(kind, `version ${version} of the head`);
  if (channels === 0) throw corrupt(kind, "it has zero channels");
  const head = {
    channels,
    preSkip: view.getUint16(10, true),
    gain: 10 ** (view.getInt16(16, true) / 256 / 20),
  };
  if (family === 0) {
    if (channels > 2) throw corrupt(kind, `it has ${channels} channels without a mapping`);
    return { ...plainHead(channels), ...head };
  }
  if (family !== 1 && family !== 255) throw unsupported(kind, `channel mapping family ${family}`);
  const mapping = [...packet.subarray(21, 21 + channels)];
  const [streams = 0, coupledStreams = 0] = packet.subarray(19, 21);
  const wrong = mapping.some((index) => index !== 255 && index >= streams + coupledStreams);
  if (
    mapping.length < channels || streams === 0 || coupledStreams > streams ||
    streams + coupledStreams > 255 || wrong
  ) {
    throw corrupt(kind, "its channel mapping is invalid");
  }
  const coded = streams + coupledStreams;
  if (coded > channels) { // each is decoded, heard or not
    throw unsupported(kind, `${coded} coded channels for ${channels} that are heard`);
  }
  return { ...head, streams, coupledStreams, mapping };
}

/** How a track's channels are given: mono by default. */
export interface TrackChannels {
  /** All of them, interleaved. */
  readonly split: boolean;
  /** One of them, 0-based. */
  readonly channel?: number;
}

/** The latest decoder that was started, or will be. */
let latest: Promise<unknown> = Promise.resolve();

/** Decodes packets in order; the pre-skip is dropped, and the head's gain is applied. */
export class OpusTrack {
  readonly #decoder: OpusDecoder<16000>;
  readonly #head: OpusHead;
  readonly #kind: SourceKind;
  readonly #channels: TrackChannels;
  readonly #width: number;
  #skip: number;
  #decoded = 0;
  #emitted = 0;

  private constructor(
    head: OpusHead,
    { kind, ...channels }: TrackChannels & { kind: SourceKind },
  ) {
    this.#head = head;
    this.#kind = kind;
    this.#channels = channels;
    this.#width = channels.split ? head.channels : 1;
    this.#skip = Math.floor(head.preSkip / PER_SAMPLE);
    this.#decoder = new OpusDecoder({
      sampleRate: DECODED_RATE,
      channels: head.channels,
      streamCount: head.streams,
      coupledStreamCount: head.coupledStreams,
      channelMappingTable: [...head.mapping],
    });
  }

  /** A track from its first packet on; {@linkcode free} it. */
  static async open(
    head: OpusHead,
    how: TrackChannels & { kind: SourceKind },
  ): Promise<OpusTrack> {
    // One after the other: each takes as long as twenty packets, and while many start at once,
    // Deno looks at no message.
    const started = latest.then(async () => {
      await new Promise((resolve) => setTimeout(resolve));
      const track = new OpusTrack(head, how);
      await track.#decoder.ready;
      return track;
    });
    latest = started.catch(() => {});
    return await started;
  }

  /** Samples decoded so far, at 48 kHz, the pre-skip included. */
  get decodedClock(): number {
    return this.#decoded * PER_SAMPLE;
  }

  /** Samples given so far, at 16 kHz. */
  get emitted(): number {
    return this.#emitted;
  }

  /** The samples that a track of so many of the clock becomes, the pre-skip taken off. */
  samplesOf(clock: number): number {
    return Math.ceil((clock - this.#head.preSkip) / PER_SAMPLE);
  }

  /**
   * Decodes packets.
   *
   * @param options `until`: most samples that the track gives in all; `discard`: samples of the
   *   clock taken off the end of these packets
   * @returns `[n, channels]` if split, else `[n]`
   * @throws {CpcError} `invalid_audio` for a packet that is damaged or too long
   */
  decode(
    packets: readonly Uint8Array[],
    { until = Infinity, discard = 0 }: { until?: number; discard?: number } = {},
  ): Float32Array<ArrayBuffer> {
    const whole = this.#mixed(packets);
    this.#decoded += whole.length / this.#width;
    const skipped = Math.min(this.#skip, whole.length / this.#width);
    this.#skip -= skipped;
    const end = discard > 0 ? this.samplesOf(this.decodedClock - discard) : Infinity;
    const left = Math.max(0, Math.min(until, end) - this.#emitted);
    const chunk = whole.slice(skipped * this.#width, (skipped + left) * this.#width);
    this.#emitted += chunk.length / this.#width;
    const { gain } = this.#head;
    if (gain !== 1) chunk.forEach((sample, i) => chunk[i] = sample * gain);
    return chunk;
  }

  /** Ends it. */
  free(): void {
    this.#decoder.free();
  }

  #mixed(packets: readonly Uint8Array[]): Float32Array<ArrayBuffer> {
    if (packets.length === 0) return new Float32Array(0);
    const most = MAX_PACKET_BYTES * this.#head.channels;
    const where = `a packet after ${this.#decoded / DECODED_RATE} s`;
    const long = packets.find(({ length }) => length > most);
    if (long) throw corrupt(this.#kind, `${where} has ${long.length} bytes, more than ${most}`);
    const { channelData, errors: [error] } = this.#decoder.decodeFrames([...packets]);
    if (error) throw corrupt(this.#kind, `${where} is damaged (${error.message})`);
    const { split, channel } = this.#channels;
    return joinChannels(channel === undefined ? channelData : [channelData[channel]!], { split });
  }
}
