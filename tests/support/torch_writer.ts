/**
 * Writes files as `torch.save` does, in both serialisations, for tests: any values, tensors of any
 * dtype and strides.
 */
import { zipSync } from "fflate";

/** A tensor to write. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly storage: StorageSpec;
}

/** A storage to write, once for all tensors that share the object. */
export interface StorageSpec {
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly elements: number;
  readonly location: string;
}

/** A function call in a pickle. */
export class Call {
  constructor(readonly name: string, readonly args: Value[]) {}
}
/** A class or function named in a pickle. */
export class Named {
  constructor(readonly name: string) {}
}

/** A tensor in a pickle. */
export class TensorValue {
  constructor(readonly spec: TensorSpec) {}
}

/** What can be written; arrays are tuples inside calls and lists elsewhere, Maps are dicts. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Value[]
  | Map<string, Value>
  | Call
  | Named
  | TensorValue;

const ITEM_BYTES: Record<string, number> = {
  FloatStorage: 4,
  DoubleStorage: 8,
  HalfStorage: 2,
  BFloat16Storage: 2,
  LongStorage: 8,
};

/** A storage of numbers. */
export function storage(
  values: ArrayLike<number>,
  type = "FloatStorage",
  location = "cpu",
): StorageSpec {
  const item = ITEM_BYTES[type];
  const view = new DataView(new ArrayBuffer(values.length * item));
  const single = new DataView(new ArrayBuffer(4));
  for (let i = 0; i < values.length; i++) {
    if (type === "FloatStorage") view.setFloat32(4 * i, values[i], true);
    else if (type === "DoubleStorage") view.setFloat64(8 * i, values[i], true);
    else if (type === "HalfStorage") view.setFloat16(2 * i, values[i], true);
    else if (type === "LongStorage") view.setBigInt64(8 * i, BigInt(values[i]), true);
    else {
      single.setFloat32(0, values[i]);
      view.setUint16(2 * i, single.getUint16(0), true);
    }
  }
  return { type, bytes: new Uint8Array(view.buffer), elements: values.length, location };
}

/** A tensor over a storage; contiguous from its start unless told otherwise. */
export function tensor(
  shape: readonly number[],
  over: StorageSpec | ArrayLike<number>,
  { strides = contiguous(shape), offset = 0 }: { strides?: readonly number[]; offset?: number } =
    {},
): TensorValue {
  return new TensorValue({
    shape,
    strides,
    offset,
    storage: "elements" in over ? over : storage(over),
  });
}

function contiguous(shape: readonly number[]): number[] {
  return shape.map((_, i) => shape.slice(i + 1).reduce((product, size) => product * size, 1));
}

/** A dict. */
export function dict(members: Record<string, Value>): Map<string, Value> {
  return new Map(Object.entries(members));
}

/** A state_dict of tensors with these shapes and values. */
export function stateDict(
  tensors: Iterable<readonly [string, { shape: readonly number[]; data: ArrayLike<number> }]>,
): Map<string, Value> {
  return new Map([...tensors].map(([name, { shape, data }]) => [name, tensor(shape, data)]));
}

/**
 * One pickle of protocol 2, and the storages that it refers to, in the order of their keys 0, 1, …
 */
export function pickle(value: Value): { bytes: Uint8Array<ArrayBuffer>; storages: StorageSpec[] } {
  const storages: StorageSpec[] = [];
  const out: number[] = [0x80, 2];
  const u32 = (n: number) => out.push(n & 255, n >>> 8 & 255, n >>> 16 & 255, n >>> 24);
  const put = (value: Value, tuple = false): void => {
    if (value === null) out.push(0x4e);
    else if (typeof value === "boolean") out.push(value ? 0x88 : 0x89);
    else if (typeof value === "bigint") {
      const digits = [];
      for (let rest = value; rest > 0n; rest >>= 8n) digits.push(Number(rest & 255n));
      out.push(0x8a, digits.length + 1, ...digits, 0);
    } else if (typeof value === "number") {
      if (!Number.isInteger(value)) {
        const view = new DataView(new ArrayBuffer(8));
        view.setFloat64(0, value);
        out.push(0x47, ...new Uint8Array(view.buffer));
      } else if (Math.abs(value) < 2 ** 31) {
        out.push(0x4a);
        u32(value);
      } else put(BigInt(value));
    } else if (typeof value === "string") {
      const text = new TextEncoder().encode(value);
      out.push(0x58);
      u32(text.length);
      out.push(...text);
    } else if (value instanceof Named) {
      const at = value.name.lastIndexOf(".");
      out.push(
        0x63,
        ...new TextEncoder().encode(`${value.name.slice(0, at)}\n${value.name.slice(at + 1)}\n`),
      );
    } else if (value instanceof Call) {
      put(new Named(value.name));
      put(value.args, true);
      out.push(0x52);
    } else if (value instanceof TensorValue) {
      const { storage, offset, shape, strides } = value.spec;
      if (!storages.includes(storage)) storages.push(storage);
      put(new Named("torch._utils._rebuild_tensor_v2"));
      out.push(0x28, 0x28);
      for (
        const part of [
          "storage",
          new Named(`torch.${storage.type}`),
          String(storages.indexOf(storage)),
          storage.location,
        ]
      ) {
        put(part);
      }
      put(storage.elements);
      out.push(0x74, 0x51);
      put(offset);
      put([...shape], true);
      put([...strides], true);
      put(false);
      put(new Call("collections.OrderedDict", []));
      out.push(0x74, 0x52);
    } else if (Array.isArray(value)) {
      if (!tuple) out.push(0x5d);
      out.push(0x28);
      for (const item of value) put(item);
      out.push(tuple ? 0x74 : 0x65);
    } else {
      out.push(0x7d, 0x28);
      for (const [key, item] of value) {
        put(key);
        put(item);
      }
      out.push(0x75);
    }
  };
  put(value);
  out.push(0x2e);
  return { bytes: new Uint8Array(out), storages };
}

/** The file of `torch.save(value)`. */
export function torchZip(
  value: Value,
  { byteorder = "little", level = 0 as 0 | 9 } = {},
): Uint8Array<ArrayBuffer> {
  const { bytes, storages } = pickle(value);
  const files: Record<string, Uint8Array> = {
    "archive/data.pkl": bytes,
    "archive/byteorder": new TextEncoder().encode(byteorder),
  };
  storages.forEach((storage, i) => files[`archive/data/${i}`] = storage.bytes);
  files["archive/version"] = new TextEncoder().encode("3\n");
  return new Uint8Array(zipSync(files, { level }));
}

/** The file of `torch.save(value, _use_new_zipfile_serialization=False)`. */
export function torchLegacy(value: Value, { littleEndian = true } = {}): Uint8Array<ArrayBuffer> {
  const { bytes, storages } = pickle(value);
  const machine = new Map<string, Value>([["protocol_version", 1001], [
    "little_endian",
    littleEndian,
  ]]);
  const parts: Uint8Array[] = [
    pickle(0x1950a86a20f9469cfc6cn).bytes,
    pickle(1001).bytes,
    pickle(machine).bytes,
    bytes,
    pickle(storages.map((_, i) => String(i))).bytes,
  ];
  for (const { elements, bytes } of storages) {
    const count = new DataView(new ArrayBuffer(8));
    count.setBigUint64(0, BigInt(elements), true);
    parts.push(new Uint8Array(count.buffer), bytes);
  }
  return new Uint8Array(parts.flatMap((part) => [...part]));
}
