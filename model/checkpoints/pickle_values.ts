/**
 * What a pickle of this importer can contain: plain data, and references to storages and tensors
 * that nothing has read yet.
 */
import type { StorageType } from "./storage_types.ts";

/** A module's name in a pickle, such as `torch.FloatStorage`: compared, never looked up. */
export class PickleGlobal {
  constructor(readonly name: string) {}
}

/**
 * Stands in for a value that is known to be harmless and unused here (a numpy scalar, a device).
 */
export class Opaque {
  constructor(readonly what: string) {}
}

/** A block of numbers in the file, by its key there. */
export class StorageRef {
  /** @param elements how many numbers the file says it holds */
  constructor(readonly type: StorageType, readonly key: string, readonly elements: number) {}
}

/** A tensor as a view of a storage; offset and strides count elements. */
export class TensorRef {
  constructor(
    readonly storage: StorageRef,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/**
 * A value on the unpickler's stack. Lists and tuples are arrays, dicts are Maps; integers beyond
 * 2^53 are bigints.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleGlobal
  | Opaque
  | StorageRef
  | TensorRef;
