/**
 * The Opus packets of a WebM or Matroska stream (RFC 9559), as its bytes arrive.
 *
 * Only what a recorder's sound needs is read: segments and clusters are entered, whatever their
 * length, the head and the blocks of the first Opus track are taken, and everything else is skipped
 * without being gathered.
 */
import { ascii, type ByteReader, viewOf } from "./byte_reader.ts";
import { type OpusHead, parseHead } from "./opus_track.ts";
import { corrupt, unsupported } from "./source.ts";

const KIND = "webm-opus";
/** Elements (RFC 9559, section 5.1). */
const ID = {
  ebml: 0x1a45dfa3,
  docType: 0x4282,
  segment: 0x18538067,
  cluster: 0x1f43b675,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  contentEncodings: 0x6d80,
  blockGroup: 0xa0,
  block: 0xa1,
  discardPadding: 0x75a2,
  simpleBlock: 0xa3,
} as const;
/** Bytes of an element that is gathered whole: a head, a list of tracks, a block of sound. */
const MAX_ELEMENT_BYTES = 256 * 1024;
/** Bytes of an element's name and length, and of a block's track and flags. */
const MAX_HEADER_BYTES = 12;
const BLOCK_HEADER_BYTES = 11;
const LACING = 0x06;
/** An element without a length: it ends where something begins that it cannot hold. */
const UNKNOWN = -1;

/** What a stream gives: first its head, then packets. */
export type WebmEvent =
  | { readonly head: OpusHead }
  /** `discard`: samples at 48 kHz to be taken off its end. */
  | { readonly packet: Uint8Array; readonly discard: number };

interface Header {
  readonly id: number;
  readonly bytes: number;
  /** Of the header itself. */
  readonly headerBytes: number;
}

/**
 * Reads one document, up to the end of the bytes or to the header of the next document.
 *
 * @throws {CpcError} `invalid_audio`, `unsupported_audio`
 */
export async function* webmPackets(reader: ByteReader): AsyncGenerator<WebmEvent, undefined> {
  let isBegun = false;
  let track: number | undefined;
  for (;;) {
    const header = await peekHeader(reader);
    if (!header) return; // its end, or in the middle of a header
    const { id, bytes, headerBytes } = header;
    if (isBegun && id === ID.ebml) return; // the next one
    const at = reader.position;
    reader.take(headerBytes);
    if (!isBegun) {
      if (id !== ID.ebml) throw corrupt(KIND, `no EBML header begins at byte ${at}`);
      isBegun = true;
      const body = await whole(reader, header);
      if (!body) return;
      refuseOthers(body);
    } else if (id === ID.segment || id === ID.cluster) {
      continue; // its children follow
    } else if (id === ID.tracks && track === undefined) {
      const body = await whole(reader, header);
      if (!body) return;
      const found = opusTrack(body);
      track = found.number;
      yield { head: found.head };
    } else if (id === ID.simpleBlock || id === ID.blockGroup) {
      if (track === undefined) throw corrupt(KIND, `a block at byte ${at} precedes its tracks`);
      const isOurs = id === ID.blockGroup || await isOfTrack(reader, header, track);
      const body = isOurs ? await whole(reader, header) : undefined;
      if (!isOurs && !await reader.skip(bytes)) return;
      if (isOurs && !body) return;
      const packet = body && (id === ID.simpleBlock ? body : blockOf(body));
      if (packet && trackOf(packet) === track) {
        yield { packet: payload(packet), discard: id === ID.blockGroup ? discardOf(body) : 0 };
      }
    } else if (bytes === UNKNOWN) {
      throw corrupt(KIND, `the element ${id.toString(16)} at byte ${at} has no length`);
    } else if (!await reader.skip(bytes)) return;
  }
}

/** The next element's header, not yet taken; undefined if the bytes end before it does. */
async function peekHeader(reader: ByteReader): Promise<Header | undefined> {
  for (let bytes = 2;; bytes++) {
    if (!await reader.fill(bytes)) return undefined;
    const header = headerAt(reader.available, 0);
    if (header) return header;
    if (bytes > MAX_HEADER_BYTES) {
      throw corrupt(KIND, `no element begins at byte ${reader.position}`);
    }
  }
}

/** An element's header; undefined if more bytes are needed. */
function headerAt(bytes: Uint8Array, at: number): Header | undefined {
  const id = variable(bytes, at, { most: 4, keepMark: true });
  const size = id && variable(bytes, at + id.length, { most: 8, keepMark: false });
  return size && { id: id.value, bytes: size.value, headerBytes: id.length + size.length };
}

/** A number of variable length (RFC 8794, section 4); undefined if more bytes are needed. */
function variable(
  bytes: Uint8Array,
  at: number,
  { most, keepMark }: { most: number; keepMark: boolean },
): { value: number; length: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const length = Math.clz32(first) - 23;
  if (length > most) throw corrupt(KIND, `the byte ${first} begins no element`);
  if (at + length > bytes.length) return undefined;
  let value = keepMark ? first : first & (0xff >> length);
  let isUnknown = !keepMark && value === 0xff >> length;
  for (let i = 1; i < length; i++) {
    value = value * 256 + bytes[at + i]!;
    isUnknown &&= bytes[at + i] === 0xff;
  }
  return { value: isUnknown ? UNKNOWN : value, length };
}

/** The body of an element that is gathered; undefined if the bytes end before it does. */
async function whole(
  reader: ByteReader,
  { id, bytes }: Header,
): Promise<Uint8Array | undefined> {
  if (bytes === UNKNOWN || bytes > MAX_ELEMENT_BYTES) {
    const size = bytes === UNKNOWN ? "no length" : `${bytes} bytes, more than ${MAX_ELEMENT_BYTES}`;
    throw corrupt(KIND, `its element ${id.toString(16)} has ${size}`);
  }
  return await reader.fill(bytes) ? reader.take(bytes) : undefined;
}

/** The elements in a body, in order. */
function* children(body: Uint8Array): Generator<{ id: number; body: Uint8Array }> {
  for (let at = 0; at < body.length;) {
    const header = headerAt(body, at);
    const from = at + (header?.headerBytes ?? 0);
    if (!header || header.bytes === UNKNOWN || from + header.bytes > body.length) {
      throw corrupt(KIND, "an element is longer than the one that holds it");
    }
    at = from + header.bytes;
    yield { id: header.id, body: body.subarray(from, at) };
  }
}

function child(body: Uint8Array, id: number): Uint8Array | undefined {
  for (const one of children(body)) if (one.id === id) return one.body;
  return undefined;
}

function refuseOthers(header: Uint8Array): void {
  const type = child(header, ID.docType);
  const name = type && ascii(type, 0, type.length).replace(/\0+$/, "");
  if (name !== "webm" && name !== "matroska") throw corrupt(KIND, "its EBML header is not WebM's");
}

/** The first Opus track of a list. */
function opusTrack(tracks: Uint8Array): { number: number; head: OpusHead } {
  const codecs: string[] = [];
  for (const { id, body } of children(tracks)) {
    if (id !== ID.trackEntry) continue;
    const [number, codec] = [child(body, ID.trackNumber), child(body, ID.codecId)];
    const name = codec ? ascii(codec, 0, codec.length).replace(/\0+$/, "") : "none";
    codecs.push(name);
    if (name !== "A_OPUS" || !number) continue;
    if (child(body, ID.contentEncodings)) throw unsupported(KIND, "an encoding of its content");
    const head = child(body, ID.codecPrivate);
    if (!head || ascii(head, 0, 8) !== "OpusHead") throw corrupt(KIND, "its track has no OpusHead");
    return { number: unsigned(number), head: parseHead(head, KIND) };
  }
  const others = codecs.length > 0 ? ` but ${codecs.join(", ")}` : "";
  throw corrupt(KIND, `it has no Opus track${others}`);
}

function unsigned(body: Uint8Array): number {
  return body.reduce((value, byte) => value * 256 + byte, 0);
}

/** Whether a simple block that was not yet taken is one of a track. */
async function isOfTrack(reader: ByteReader, { bytes }: Header, track: number): Promise<boolean> {
  await reader.fill(Math.min(bytes, BLOCK_HEADER_BYTES));
  return trackOf(reader.available) === track;
}

function trackOf(block: Uint8Array): number | undefined {
  return variable(block, 0, { most: 8, keepMark: false })?.value;
}

function blockOf(group: Uint8Array): Uint8Array | undefined {
  return child(group, ID.block);
}

/** Samples at 48 kHz that a group's block takes off its end. */
function discardOf(group: Uint8Array): number {
  const padding = child(group, ID.discardPadding);
  if (!padding?.length || padding.length > 8) return 0;
  const nanoseconds = BigInt.asIntN(
    8 * padding.length,
    padding.reduce((value, byte) => value << 8n | BigInt(byte), 0n),
  );
  return Math.max(0, Math.round(Number(nanoseconds) * 48e-6));
}

/** The packet in a block: what follows its track, time and flags. */
function payload(block: Uint8Array): Uint8Array {
  const track = variable(block, 0, { most: 8, keepMark: false });
  const flagsAt = (track?.length ?? 0) + 2;
  if (flagsAt >= block.length) throw corrupt(KIND, "a block is shorter than its header");
  if (viewOf(block).getUint8(flagsAt) & LACING) {
    throw unsupported(KIND, "blocks of several packets");
  }
  return block.slice(flagsAt + 1);
}
