/**
 * An unpickler that runs nothing: it builds plain data and references, and refuses every opcode and
 * name outside its lists.
 *
 * Its memory is bounded by its input (and that by a limit): each opcode makes one value or moves
 * values that earlier opcodes made, texts and byte strings must be part of the input, and the memo
 * is a map. Values are never walked recursively, so depth and cycles cost nothing. Follows the
 * opcode semantics documented in Python's `pickletools`.
 */
import { ByteReader } from "./byte_reader.ts";
import { readLiteral } from "./pickle_literals.ts";
import { OP } from "./pickle_opcodes.ts";
import { Opaque, type PickleValue } from "./pickle_values.ts";
import { refuse } from "./refuse.ts";
import type { StorageType } from "./storage_types.ts";
import { torchCall, torchGlobal, torchStorage } from "./torch_globals.ts";

/** Highest supported pickle protocol. */
const MAX_PROTOCOL = 5;
/** Longest pickle. Those of checkpoints have some ten thousand bytes. */
const MAX_PICKLE_BYTES = 1024 * 1024;

/** One pickle's content. */
export interface Unpickled {
  readonly value: PickleValue;
  /** The byte after its end. */
  readonly end: number;
  /** The storages that it refers to: their number format by key. */
  readonly storages: ReadonlyMap<string, StorageType>;
}

/**
 * Reads one pickle.
 *
 * @param at byte to begin at
 * @throws {CpcError} `checkpoint_invalid` when it is cut short, is malformed, or asks for something
 *   outside the lists (by name)
 */
export function unpickle(bytes: Uint8Array, at = 0): Unpickled {
  const reader = new ByteReader(bytes, at);
  const machine = new Unpickler(reader);
  while (!machine.step()) {
    if (reader.at - at > MAX_PICKLE_BYTES) {
      refuse(`its pickle has more than ${MAX_PICKLE_BYTES} bytes`);
    }
  }
  return machine.result();
}

class Unpickler {
  readonly #reader: ByteReader;
  readonly #stack: PickleValue[] = [];
  /** Stack heights at the open marks. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();
  readonly #storages = new Map<string, StorageType>();

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  result(): Unpickled {
    return { value: this.#pop(), end: this.#reader.at, storages: this.#storages };
  }

  /** Takes one opcode; true at the end. */
  step(): boolean {
    const [reader, stack] = [this.#reader, this.#stack];
    const opcode = reader.u8();
    switch (opcode) {
      case OP.STOP:
        return true;
      case OP.PROTO: {
        const protocol = reader.u8();
        if (protocol > MAX_PROTOCOL) {
          refuse(`its pickle has protocol ${protocol}; at most ${MAX_PROTOCOL} is supported`);
        }
        break;
      }
      case OP.FRAME:
        reader.length8();
        break;
      case OP.MARK:
        this.#marks.push(stack.length);
        break;
      case OP.POP:
        this.#pop();
        break;
      case OP.POP_MARK:
        this.#popMark();
        break;
      case OP.DUP:
        stack.push(this.#top());
        break;
      case OP.NONE:
        stack.push(null);
        break;
      case OP.NEWTRUE:
        stack.push(true);
        break;
      case OP.NEWFALSE:
        stack.push(false);
        break;
      case OP.EMPTY_TUPLE:
      case OP.EMPTY_LIST:
        stack.push([]);
        break;
      case OP.EMPTY_DICT:
        stack.push(new Map());
        break;
      case OP.TUPLE1:
      case OP.TUPLE2:
      case OP.TUPLE3: {
        const items = Array.from({ length: opcode - OP.TUPLE1 + 1 }, () => this.#pop());
        stack.push(items.reverse());
        break;
      }
      case OP.TUPLE:
      case OP.LIST:
        stack.push(this.#popMark());
        break;
      case OP.DICT: {
        const items = this.#popMark();
        stack.push(setItems(new Map(), items));
        break;
      }
      case OP.APPEND: {
        const item = this.#pop();
        asList(this.#top()).push(item);
        break;
      }
      case OP.APPENDS: {
        const items = this.#popMark();
        const list = asList(this.#top());
        for (const item of items) list.push(item);
        break;
      }
      case OP.SETITEM: {
        const [value, key] = [this.#pop(), this.#pop()];
        setItems(this.#top(), [key, value]);
        break;
      }
      case OP.SETITEMS: {
        const items = this.#popMark();
        setItems(this.#top(), items);
        break;
      }
      case OP.BUILD:
        this.#build();
        break;
      case OP.GLOBAL:
        stack.push(torchGlobal(`${reader.line()}.${reader.line()}`));
        break;
      case OP.STACK_GLOBAL: {
        const [name, module] = [this.#pop(), this.#pop()];
        if (typeof name !== "string" || typeof module !== "string") {
          refuse("its pickle refers to a name that is not a text");
        }
        stack.push(torchGlobal(`${module}.${name}`));
        break;
      }
      case OP.REDUCE: {
        const [args, callable] = [this.#pop(), this.#pop()];
        stack.push(torchCall(callable, args));
        break;
      }
      case OP.BINPERSID: {
        const storage = torchStorage(this.#pop());
        this.#storages.set(storage.key, storage.type);
        stack.push(storage);
        break;
      }
      case OP.BINGET:
        stack.push(this.#recall(reader.u8()));
        break;
      case OP.LONG_BINGET:
        stack.push(this.#recall(reader.u32()));
        break;
      case OP.BINPUT:
        this.#memo.set(reader.u8(), this.#top());
        break;
      case OP.LONG_BINPUT:
        this.#memo.set(reader.u32(), this.#top());
        break;
      case OP.MEMOIZE:
        this.#memo.set(this.#memo.size, this.#top());
        break;
      default:
        stack.push(readLiteral(opcode, reader));
    }
    return false;
  }

  /**
   * Drops attributes of a state_dict (its `_metadata`) and of unused values; nothing else may have
   * any.
   */
  #build(): void {
    this.#pop();
    const target = this.#top();
    if (!(target instanceof Map) && !(target instanceof Opaque)) {
      refuse("its pickle sets attributes of a value that has none");
    }
  }

  #recall(index: number): PickleValue {
    const value = this.#memo.get(index);
    return value === undefined
      ? refuse(`its pickle recalls value ${index}, which it never stored`)
      : value;
  }

  #top(): PickleValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) {
      refuse("its pickle takes a value from an empty stack");
    }
    return this.#stack[this.#stack.length - 1]!;
  }

  #pop(): PickleValue {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popMark(): PickleValue[] {
    const from = this.#marks.pop();
    return from === undefined
      ? refuse("its pickle closes a group that it never opened")
      : this.#stack.splice(from);
  }
}

function asList(value: PickleValue): PickleValue[] {
  return Array.isArray(value) ? value : refuse("its pickle appends to a value that is not a list");
}

function setItems(target: PickleValue, items: PickleValue[]): PickleValue {
  if (!(target instanceof Map)) {
    return refuse("its pickle sets items of a value that is not a dict");
  }
  if (items.length % 2 !== 0) return refuse("its pickle sets a key without a value");
  for (let i = 0; i < items.length; i += 2) target.set(items[i]!, items[i + 1]!);
  return target;
}
