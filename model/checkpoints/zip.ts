/**
 * Reads the zip archives that PyTorch writes: uncompressed entries, found through the central
 * directory (PKWARE's APPNOTE.TXT 4.3). Nothing is inflated or copied, so an archive cannot ask for
 * more memory than it has bytes.
 */
import { crc32 } from "node:zlib";
import { refuse, shown } from "./refuse.ts";

const END_SIGNATURE = 0x06054b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;

interface Entry {
  readonly localOffset: number;
  readonly bytes: number;
  readonly crc: number;
}

/** An archive's entries by name. */
export class ZipArchive {
  readonly #file: Uint8Array;
  readonly #view: DataView;
  readonly #entries = new Map<string, Entry>();

  /**
   * @throws {CpcError} `checkpoint_invalid` when it is cut short, is damaged, or has compressed
   *   entries
   */
  constructor(file: Uint8Array) {
    this.#file = file;
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    const view = this.#view;
    const end = this.#findEnd();
    const count = view.getUint16(end + 10, true);
    let at = view.getUint32(end + 16, true);
    for (let i = 0; i < count; i++) {
      if (at + CENTRAL_BYTES > end || view.getUint32(at, true) !== CENTRAL_SIGNATURE) {
        refuse("its zip directory is damaged");
      }
      const nameBytes = view.getUint16(at + 28, true);
      const next = at + CENTRAL_BYTES + nameBytes + view.getUint16(at + 30, true) +
        view.getUint16(at + 32, true);
      if (next > end) refuse("its zip directory is damaged");
      const name = new TextDecoder().decode(
        file.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes),
      );
      const [packed, bytes] = [view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
      if (view.getUint16(at + 10, true) !== 0 || packed !== bytes) {
        refuse(`its entry ${shown(name)} is compressed; PyTorch stores entries uncompressed`);
      }
      this.#entries.set(name, {
        bytes,
        crc: view.getUint32(at + 16, true),
        localOffset: view.getUint32(at + 42, true),
      });
      at = next;
    }
  }

  /** Names of all entries, in the order of the directory. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /**
   * An entry's bytes, as a view. @throws {CpcError} `checkpoint_invalid` when it is missing,
   * outside the file, or damaged (CRC-32)
   */
  read(name: string): Uint8Array {
    const entry = this.#entries.get(name) ?? refuse(`it has no entry ${shown(name)}`);
    const { localOffset, bytes, crc } = entry;
    const view = this.#view;
    if (
      localOffset + LOCAL_BYTES > view.byteLength ||
      view.getUint32(localOffset, true) !== LOCAL_SIGNATURE
    ) {
      refuse(`its entry ${shown(name)} does not begin where the zip directory says: damaged`);
    }
    const from = localOffset + LOCAL_BYTES + view.getUint16(localOffset + 26, true) +
      view.getUint16(localOffset + 28, true);
    if (from + bytes > view.byteLength) {
      refuse(`its entry ${shown(name)} reaches beyond the end of the file: cut short`);
    }
    const data = this.#file.subarray(from, from + bytes);
    if (crc32(data) !== crc) {
      refuse(
        `its entry ${shown(name)} is damaged (its CRC-32 does not match; torch.save with its ` +
          "CRC-32 option off writes such files too)",
      );
    }
    return data;
  }

  /** The end record; only a comment may follow it. */
  #findEnd(): number {
    const lowest = Math.max(0, this.#view.byteLength - END_BYTES - MAX_COMMENT_BYTES);
    for (let at = this.#view.byteLength - END_BYTES; at >= lowest; at--) {
      if (this.#view.getUint32(at, true) === END_SIGNATURE) return at;
    }
    return refuse("it is cut short: a zip file without its directory, which lies at its end");
  }
}
