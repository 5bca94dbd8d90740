/** The number formats of PyTorch's storages. */

/** A storage's number format; `float` says whether it can hold weights. */
export interface StorageType {
  readonly dtype: string;
  readonly itemBytes: number;
  /** Reads element `i` of little-endian data; only floats have it. */
  readonly read?: (view: DataView, i: number) => number;
}

const bfloat16 = new DataView(new ArrayBuffer(4));

/** Storage classes by their name in module `torch`. */
export const STORAGE_TYPES: ReadonlyMap<string, StorageType> = new Map<string, StorageType>([
  ["FloatStorage", {
    dtype: "float32",
    itemBytes: 4,
    read: (view, i) => view.getFloat32(4 * i, true),
  }],
  ["DoubleStorage", {
    dtype: "float64",
    itemBytes: 8,
    read: (view, i) => view.getFloat64(8 * i, true),
  }],
  ["HalfStorage", {
    dtype: "float16",
    itemBytes: 2,
    read: (view, i) => view.getFloat16(2 * i, true),
  }],
  ["BFloat16Storage", { dtype: "bfloat16", itemBytes: 2, read: readBfloat16 }],
  ["LongStorage", { dtype: "int64", itemBytes: 8 }],
  ["IntStorage", { dtype: "int32", itemBytes: 4 }],
  ["ShortStorage", { dtype: "int16", itemBytes: 2 }],
  ["CharStorage", { dtype: "int8", itemBytes: 1 }],
  ["ByteStorage", { dtype: "uint8", itemBytes: 1 }],
  ["BoolStorage", { dtype: "bool", itemBytes: 1 }],
]);

/** A bfloat16 is the upper half of a float32. */
function readBfloat16(view: DataView, i: number): number {
  bfloat16.setUint32(0, view.getUint16(2 * i, true) << 16 >>> 0);
  return bfloat16.getFloat32(0);
}
