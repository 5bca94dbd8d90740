import assert from "node:assert/strict";
import { zipSync } from "fflate";
import { ZipArchive } from "../../../model/checkpoints/zip.ts";

const ENTRIES = { "a/data.pkl": Uint8Array.of(1, 2, 3), "a/data/0": Uint8Array.of(4) };
const CENTRAL = [0x50, 0x4b, 1, 2];
const LOCAL_BYTES = 30;

/** An archive as PyTorch writes it, uncompressed. */
function archive(entries: Record<string, Uint8Array> = ENTRIES): Uint8Array {
  return zipSync(entries, { level: 0 });
}

/** Where its directory begins. */
function directoryOf(file: Uint8Array): number {
  return file.findIndex((_, at) => CENTRAL.every((byte, i) => file[at + i] === byte));
}

/** The archive with some bytes changed. */
function damaged(change: (file: Uint8Array, directory: number) => void): Uint8Array {
  const file = Uint8Array.from(archive());
  change(file, directoryOf(file));
  return file;
}

const invalid = (message: RegExp) => ({ code: "checkpoint_invalid", message });

Deno.test("ZipArchive reads stored entries, also behind a comment", () => {
  const file = archive();
  const commented = Uint8Array.from([...file, 7, 7, 7]);
  commented[file.length - 2] = 3;
  for (const bytes of [file, commented]) {
    const zip = new ZipArchive(bytes);
    assert.deepEqual(zip.names, Object.keys(ENTRIES));
    for (const [name, data] of Object.entries(ENTRIES)) assert.deepEqual(zip.read(name), data);
    assert.throws(() => zip.read("b"), invalid(/it has no entry "?b/));
  }
  assert.deepEqual(new ZipArchive(archive({})).names, []);
});

Deno.test("ZipArchive refuses a damaged directory, and compressed entries", () => {
  const directory = /its zip directory is damaged/;
  const ofDirectory = [
    damaged((file, at) => file[at] ^= 1), // its signature
    damaged((file) => file[file.length - 6] += 200), // it begins too late
    damaged((file, at) => file[at + 46 + "a/data.pkl".length + 29] = 1), // the last name is longer
    damaged((file) => file[file.length - 12]++), // one entry more than there are
  ];
  for (const file of ofDirectory) assert.throws(() => new ZipArchive(file), invalid(directory));
  for (const place of [10, 20]) { // the method, the packed size
    const file = damaged((file, at) => file[at + place]++);
    assert.throws(() => new ZipArchive(file), invalid(/entry "?a\/data.pkl"? is compressed/));
  }
});

Deno.test("ZipArchive.read() refuses an entry that lies elsewhere or is changed", () => {
  const read = (file: Uint8Array) => () => new ZipArchive(file).read("a/data.pkl");
  assert.throws(read(damaged((file) => file[0] ^= 1)), invalid(/does not begin where/));
  assert.throws(read(damaged((file, at) => file[at + 44] = 255)), invalid(/does not begin where/));
  const far = damaged((file, at) => file[at + 22] = file[at + 26] = 255);
  assert.throws(read(far), invalid(/reaches beyond the end/));
  const data = LOCAL_BYTES + "a/data.pkl".length;
  assert.throws(read(damaged((file) => file[data] ^= 1)), invalid(/CRC-32/));
});

Deno.test("ZipArchive refuses a file that is cut short", () => {
  const file = archive();
  for (const length of [0, 10, file.length - 1]) {
    const cut = file.subarray(0, length);
    assert.throws(() => new ZipArchive(cut), invalid(/it is cut short: a zip file without/));
  }
});
