/**
 * Files of `torch.save`, in both serialisations: the zip archive (since PyTorch 1.6) and the older
 * sequence of pickles.
 */
import { ByteReader } from "./byte_reader.ts";
import { unpickle } from "./pickle.ts";
import type { PickleValue, StorageRef, TensorRef } from "./pickle_values.ts";
import { refuse, shown } from "./refuse.ts";
import { ZipArchive } from "./zip.ts";

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;
const ZIP_SIGNATURE = 0x504b0304;
/**
 * All tensors together may fill this many bytes per byte of the file: 16-bit floats double in size,
 * and weights may be tied.
 */
const MAX_GROWTH = 4;

/** What a file holds: plain data with tensors that are read on demand. */
export class TorchFile {
  readonly root: PickleValue;
  readonly #storage: (ref: StorageRef) => Uint8Array;
  #bytesLeft: number;

  private constructor(
    root: PickleValue,
    fileBytes: number,
    storage: (ref: StorageRef) => Uint8Array,
  ) {
    this.root = root;
    this.#storage = storage;
    this.#bytesLeft = MAX_GROWTH * fileBytes;
  }

  /**
   * Opens a file; no tensor is read yet.
   *
   * @throws {CpcError} `checkpoint_invalid` when it is not such a file, is cut short or damaged, or
   *   asks for something that no checkpoint needs
   */
  static open(file: Uint8Array): TorchFile {
    const first = file.byteLength < 4 ? 0 : new DataView(file.buffer, file.byteOffset).getUint32(0);
    if (first === ZIP_SIGNATURE) return TorchFile.#openZip(file);
    if (first >>> 24 === 0x80) return TorchFile.#openLegacy(file);
    return refuse(
      "it is not a file of torch.save: it begins neither as a zip archive nor as a pickle",
    );
  }

  static #openZip(file: Uint8Array): TorchFile {
    const zip = new ZipArchive(file);
    const names = new Set(zip.names);
    const pickle = zip.names.find((name) => /^[^/]+\/data\.pkl$/.test(name)) ??
      refuse("it is a zip archive without data.pkl: not a file of torch.save");
    const folder = pickle.slice(0, -"data.pkl".length);
    if (names.has(`${folder}constants.pkl`)) {
      refuse("it is a TorchScript archive; save the module's state_dict instead");
    }
    if (names.has(`${folder}byteorder`)) {
      const order = new TextDecoder().decode(zip.read(`${folder}byteorder`).subarray(0, 16));
      if (order !== "little") {
        refuse(
          `its numbers are in ${shown(order)}-endian order; save it on a little-endian machine`,
        );
      }
    }
    const { value } = unpickle(zip.read(pickle));
    const storages = new Map<string, Uint8Array>();
    return new TorchFile(value, file.byteLength, ({ key }) => {
      const bytes = storages.get(key) ?? zip.read(`${folder}data/${key}`);
      storages.set(key, bytes);
      return bytes;
    });
  }

  /**
   * Magic number, protocol, machine, the data, the keys of the storages, then each storage behind
   * its length.
   */
  static #openLegacy(file: Uint8Array): TorchFile {
    const magic = unpickle(file);
    if (magic.value !== LEGACY_MAGIC) refuse("it is a pickle, but not one of torch.save");
    const protocol = unpickle(file, magic.end);
    if (protocol.value !== LEGACY_PROTOCOL) {
      refuse(`its serialisation is not version ${LEGACY_PROTOCOL}`);
    }
    const machine = unpickle(file, protocol.end);
    if (!(machine.value instanceof Map) || machine.value.get("little_endian") !== true) {
      refuse("its numbers are in big-endian order; save it on a little-endian machine");
    }
    const data = unpickle(file, machine.end);
    const keys = unpickle(file, data.end);
    if (!Array.isArray(keys.value)) refuse("it lists no storages");
    const reader = new ByteReader(file, keys.end);
    const storages = new Map<string, Uint8Array>();
    for (const key of keys.value) {
      const type = typeof key === "string" ? data.storages.get(key) : undefined;
      if (typeof key !== "string" || !type) {
        return refuse("it has a storage that no tensor refers to");
      }
      storages.set(key, reader.bytes(reader.length8() * type.itemBytes));
    }
    return new TorchFile(
      data.value,
      file.byteLength,
      ({ key }) => storages.get(key) ?? refuse(`it has no storage ${shown(key)}`),
    );
  }

  /**
   * A tensor's values, row-major.
   *
   * @param name its name in messages
   * @throws {CpcError} `checkpoint_invalid` for integers, a view beyond its storage, or values that
   *   are not finite
   */
  read(tensor: TensorRef, name: string): Float32Array {
    const { storage: { type, elements }, shape, strides, offset } = tensor;
    const read = type.read ?? refuse(`tensor ${name} holds ${type.dtype}; weights are floats`);
    const count = shape.reduce((product, size) => product * size, 1);
    const last = shape.reduce((index, size, i) => index + (size - 1) * strides[i]!, offset);
    const bytes = this.#storage(tensor.storage);
    const held = Math.min(elements, Math.floor(bytes.byteLength / type.itemBytes));
    if (count > 0 && (count > held || last >= held)) {
      refuse(
        `tensor ${name} of shape [${shape}] reaches beyond its storage of ${held} elements: ` +
          "cut short or damaged",
      );
    }
    this.#bytesLeft -= 4 * count;
    if (this.#bytesLeft < 0) {
      refuse(`its tensors would fill more than ${MAX_GROWTH} times the file's size`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const data = new Float32Array(count);
    const index = new Array<number>(shape.length).fill(0);
    let at = offset;
    for (let i = 0; i < count; i++) {
      data[i] = read(view, at);
      if (!Number.isFinite(data[i])) {
        refuse(`tensor ${name} holds ${data[i]} at element ${i}; weights must be finite`);
      }
      for (let d = shape.length - 1; d >= 0; d--) { // the next element, as an odometer counts
        at += strides[d]!;
        if (++index[d]! < shape[d]!) break;
        at -= strides[d]! * shape[d]!;
        index[d] = 0;
      }
    }
    return data;
  }
}
