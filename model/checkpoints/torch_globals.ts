/**
 * The allow-list: every name that a checkpoint's pickle may use, and what calling it means here.
 * Nothing is looked up or run. A name outside the list ends the reading.
 */
import { Opaque, PickleGlobal, type PickleValue, StorageRef, TensorRef } from "./pickle_values.ts";
import { refuse, shown } from "./refuse.ts";
import { STORAGE_TYPES } from "./storage_types.ts";

/** Most dimensions of a tensor. */
const MAX_DIMENSIONS = 8;

type Call = (args: PickleValue[]) => PickleValue;
const inert = (name: string): [string, Call] => [name, () => new Opaque(name)];

const CALLABLE: ReadonlyMap<string, Call> = new Map<string, Call>([
  ["collections.OrderedDict", orderedDict],
  ["torch._utils._rebuild_tensor", rebuildTensor],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_parameter", firstTensor],
  ["torch._utils._rebuild_parameter_with_state", firstTensor],
  ["torch.Size", (args) => args[0] ?? []],
  // seen in training state, unused here
  inert("torch.device"),
  inert("numpy.dtype"),
  inert("numpy.core.multiarray.scalar"),
  inert("numpy._core.multiarray.scalar"),
  inert("_codecs.encode"),
]);

const DTYPES = [
  "float64",
  "float32",
  "float16",
  "bfloat16",
  "int64",
  "int32",
  "int16",
  "int8",
  "uint8",
  "bool",
];
const CONSTANTS = new Set([...[...STORAGE_TYPES.keys()], ...DTYPES].map((name) => `torch.${name}`));

/** A name of the allow-list. @throws {CpcError} `checkpoint_invalid`, naming any other */
export function torchGlobal(name: string): PickleGlobal {
  if (CALLABLE.has(name) || CONSTANTS.has(name)) return new PickleGlobal(name);
  return refuse(
    `its pickle refers to ${
      shown(name)
    }, which is not on the list of what a checkpoint needs (tensors, storages, plain data); ` +
      "loading it would mean running code. Save only the state_dict",
  );
}

/**
 * The result of calling an allowed name. @throws {CpcError} `checkpoint_invalid` for something that
 * cannot be called, or wrong arguments
 */
export function torchCall(callable: PickleValue, args: PickleValue): PickleValue {
  const call = callable instanceof PickleGlobal ? CALLABLE.get(callable.name) : undefined;
  if (!call || !Array.isArray(args)) {
    return refuse(
      `its pickle calls ${
        callable instanceof PickleGlobal ? callable.name : "a value that is not a function"
      }`,
    );
  }
  return call(args);
}

/**
 * What a persistent id stands for: `("storage", type, key, location, elements)`; older files add
 * `(key, offset, elements)` for a view.
 */
export function torchStorage(id: PickleValue): StorageRef {
  if (!Array.isArray(id)) return refuse("its pickle has a persistent id that is not a storage");
  const [tag, type, key, _location, elements, view] = id;
  const storageType = type instanceof PickleGlobal
    ? STORAGE_TYPES.get(type.name.replace(/^torch\./, ""))
    : undefined;
  if (tag !== "storage" || !storageType || typeof key !== "string" || !isCount(elements)) {
    return refuse("its pickle has a persistent id that is not a storage of numbers");
  }
  if (view !== undefined && view !== null) {
    return refuse(
      "a storage is a view of another (PyTorch before 0.4): save it again with a newer one",
    );
  }
  return new StorageRef(storageType, key, elements);
}

function rebuildTensor(args: PickleValue[]): TensorRef {
  const [storage, offset, shape, strides] = args;
  if (
    !(storage instanceof StorageRef) || !isCount(offset) || !isCounts(shape) || !isCounts(strides)
  ) {
    return refuse("its pickle builds a tensor from wrong arguments");
  }
  if (shape.length !== strides.length || shape.length > MAX_DIMENSIONS) {
    return refuse(
      `its pickle builds a tensor of ${shape.length} dimensions and ${strides.length} ` +
        `strides (up to ${MAX_DIMENSIONS})`,
    );
  }
  return new TensorRef(storage, offset, shape, strides);
}

function firstTensor(args: PickleValue[]): TensorRef {
  return args[0] instanceof TensorRef
    ? args[0]
    : refuse("its pickle builds a parameter from something that is not a tensor");
}

/** Called empty, or (by Python 2) with a list of pairs. */
function orderedDict(args: PickleValue[]): Map<PickleValue, PickleValue> {
  const dict = new Map<PickleValue, PickleValue>();
  const pairs = args[0] ?? [];
  if (!Array.isArray(pairs)) {
    return refuse("its pickle builds an OrderedDict from something that is not a list");
  }
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      return refuse("its pickle builds an OrderedDict from items that are not pairs");
    }
    dict.set(pair[0]!, pair[1]!);
  }
  pairs.length = 0; // moved, not copied: a list named many times must not grow into many dicts
  return dict;
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.every(isCount);
}
