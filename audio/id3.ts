/** ID3v2 tags, which may precede any kind of audio. */
import { ascii, type ByteReader } from "./byte_reader.ts";

/** Skips the tags at the start of a file. */
export async function skipId3(reader: ByteReader): Promise<void> {
  while (await reader.fill(10) && ascii(reader.available, 0, 3) === "ID3") {
    const [major = 0, , flags = 0, a = 0, b = 0, c = 0, d = 0] = reader.available.subarray(3, 10);
    const footer = major >= 4 && (flags & 0x10) !== 0 ? 10 : 0;
    if ((a | b | c | d) & 0x80) return;
    await reader.skip(10 + (a << 21 | b << 14 | c << 7 | d) + footer);
  }
}
