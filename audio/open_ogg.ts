/** Recognises the content of an Ogg file by its first packet, and opens it. */
import { ascii, type ByteReader } from "./byte_reader.ts";
import { loadDecoder } from "./load_decoder.ts";
import { oggPages } from "./ogg.ts";
import { corrupt, type OpenedAudio, type Split, truncated } from "./source.ts";

/**
 * Opens the content of an Ogg file: Opus, FLAC or Vorbis.
 *
 * @returns undefined when it holds something else
 * @throws {CpcError} `invalid_audio`, `unsupported_audio`, also while its chunks are read
 */
export async function openOgg(
  reader: ByteReader,
  how: Split,
): Promise<OpenedAudio | undefined> {
  await reader.fill(28 + 64);
  const first = reader.available;
  const body = 27 + (first[26] ?? 0);
  const marks = {
    "ogg-opus": "OpusHead",
    "ogg-flac": "\x7fFLAC",
    "ogg-vorbis": "\x01vorbis",
  } as const;
  const kinds = Object.keys(marks) as (keyof typeof marks)[];
  const kind = kinds.find((name) => ascii(first, body, marks[name].length) === marks[name]);
  if (!kind && first.length < body + 8) throw truncated("ogg", "in its first page");
  if (!kind) return undefined;
  const pages = oggPages(reader, kind);
  const { value: page } = await pages.next();
  const head = page?.packets[0];
  if (!page || !head) throw corrupt(kind, "its first page holds no whole packet");
  if (kind === "ogg-opus") {
    return (await loadDecoder(() => import("./opus.ts"))).openOpus(head, { pages, ...how });
  }
  if (kind === "ogg-flac") {
    return (await loadDecoder(() => import("./flac.ts"))).openOggFlac(head, { pages, ...how });
  }
  return (await loadDecoder(() => import("./vorbis.ts"))).openVorbis(head, {
    first: page,
    pages,
    ...how,
  });
}
