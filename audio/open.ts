/** Recognises an audio file by its content, and opens it. */
import { CpcError } from "../errors.ts";
import { ascii, type ByteReader } from "./byte_reader.ts";
import { skipId3 } from "./id3.ts";
import { loadDecoder } from "./load_decoder.ts";
import { AUDIO_KINDS, type OpenedAudio, type Split } from "./source.ts";
import { isWav, openWav } from "./wav.ts";

/**
 * Recognises a file by its content, and reads its header.
 *
 * @throws {CpcError} `unsupported_audio` for an unknown kind; `invalid_audio` for an empty file or
 *   a broken header
 */
export async function openAudio(
  reader: ByteReader,
  how: Split,
): Promise<OpenedAudio> {
  if (await reader.atEnd()) {
    throw new CpcError("invalid_audio", "the audio is empty: it has 0 bytes");
  }
  await skipId3(reader);
  if (await reader.atEnd()) {
    throw new CpcError(
      "invalid_audio",
      "the audio is truncated: it ends in or right after its ID3 tag",
    );
  }
  await reader.fill(12);
  const head = reader.available.slice(0, 12);
  if (isWav(head)) return await openWav(reader, how);
  // The decoders are imported on demand, so a worker that reads WAV starts in a fraction of the
  // time.
  if (ascii(head) === "fLaC") {
    return await (await loadDecoder(() => import("./flac.ts"))).openFlac(reader, how);
  }
  const opened = ascii(head) === "OggS"
    ? await (await loadDecoder(() => import("./open_ogg.ts"))).openOgg(reader, how)
    : await (await loadDecoder(() => import("./mp3.ts"))).openMp3(reader, how);
  if (opened) return opened;
  const cutShort = head.length < 12 &&
    ["RIFF", "fLaC", "OggS"].some((magic) => magic.startsWith(ascii(head)));
  const shown = [...head.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(
    " ",
  );
  throw new CpcError(
    cutShort ? "invalid_audio" : "unsupported_audio",
    cutShort
      ? `the audio is truncated: it has ${head.length} bytes (${shown})`
      : `the audio is of an unknown kind (it begins with the bytes ${shown}); known kinds are ${
        AUDIO_KINDS.join(", ")
      }`,
  );
}
