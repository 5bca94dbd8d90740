import assert from "node:assert/strict";
import fc from "fast-check";
import { unpickle } from "../../../model/checkpoints/pickle.ts";
import { OP } from "../../../model/checkpoints/pickle_opcodes.ts";
import { Opaque, TensorRef } from "../../../model/checkpoints/pickle_values.ts";
import { refused, succeedsOrRefuses } from "../../support/checkpoints.ts";
import { Call, dict, Named, pickle, tensor, type Value } from "../../support/torch_writer.ts";

const read = (value: Value) => unpickle(pickle(value).bytes).value;
const run = (...bytes: number[]) => unpickle(new Uint8Array(bytes)).value;
const text = (string: string) => [...new TextEncoder().encode(string)];
const global = (module: string, name: string) => [OP.GLOBAL, ...text(`${module}\n${name}\n`)];

Deno.test("unpickle() reads plain data", () => {
  const value = [
    1,
    -2,
    70000,
    2 ** 40,
    2n ** 100n,
    0.5,
    true,
    false,
    null,
    "ü",
    ["nested"],
    new Map([["k", 1]]),
  ];
  assert.deepEqual(read(value), value);
});

Deno.test("unpickle() reads protocols 2 to 5: frames, memo, short texts, bytes", () => {
  assert.deepEqual(
    run(
      OP.PROTO,
      5,
      OP.FRAME,
      9,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      OP.SHORT_BINUNICODE,
      1,
      97,
      OP.MEMOIZE,
      OP.BINGET,
      0,
      OP.TUPLE2,
      OP.STOP,
    ),
    ["a", "a"],
  );
  assert.deepEqual(run(OP.SHORT_BINBYTES, 2, 7, 8, OP.STOP), new Uint8Array([7, 8]));
  assert.deepEqual(run(OP.LONG1, 1, 0xff, OP.LONG1, 0, OP.TUPLE2, OP.STOP), [-1, 0]);
  assert.deepEqual(
    run(OP.MARK, OP.BININT1, 1, OP.LIST, OP.MARK, OP.NONE, OP.NEWTRUE, OP.DICT, OP.TUPLE2, OP.STOP),
    [
      [1],
      new Map([[null, true]]),
    ],
  );
});

Deno.test("unpickle() takes a value of a cycle", () => {
  const value = run(OP.EMPTY_LIST, OP.BINPUT, 0, OP.BINGET, 0, OP.APPEND, OP.STOP);
  assert.ok(Array.isArray(value) && value[0] === value);
});

Deno.test("unpickle() reads tensors as references and OrderedDicts, without attributes", () => {
  const ref = read(tensor([2, 3], [1, 2, 3, 4, 5, 6], { strides: [1, 2] }));
  assert.ok(ref instanceof TensorRef);
  assert.deepEqual([ref.shape, ref.strides, ref.storage.type.dtype, ref.storage.elements], [
    [2, 3],
    [1, 2],
    "float32",
    6,
  ]);
  assert.deepEqual(
    read(new Call("torch._utils._rebuild_parameter", [tensor([1], [1]), true, null])) instanceof
      TensorRef,
    true,
  );
  assert.deepEqual(
    read(new Call("collections.OrderedDict", [[["a", 1], ["b", 2]]])),
    new Map([["a", 1], ["b", 2]]),
  );
  assert.deepEqual(
    run(
      ...global("collections", "OrderedDict"),
      OP.EMPTY_TUPLE,
      OP.REDUCE,
      OP.EMPTY_DICT,
      OP.BUILD,
      OP.STOP,
    ),
    new Map(),
  );
  assert.ok(
    read(
      new Call("numpy.core.multiarray.scalar", [new Call("numpy.dtype", ["f8", false, true])]),
    ) instanceof Opaque,
  );
});

for (
  const name of [
    "posix.system",
    "nt.system",
    "os.system",
    "builtins.eval",
    "__builtin__.exec",
    "subprocess.Popen",
    "torch.load",
    "torch.hub.load",
    "torch.nn.modules.conv.Conv1d",
    "argparse.Namespace",
    "numpy.load",
    "collections.OrderedDict.__init__",
    "src.model.model.CDCK2",
  ]
) {
  Deno.test(`unpickle() refuses ${name} by its name, called or only named`, () => {
    const pattern = new RegExp(`refers to ${name.replaceAll(".", "\\.")},`);
    refused(() => read(new Call(name, ["true"])), pattern);
    refused(() => read([new Named(name)]), pattern);
    const at = name.lastIndexOf(".");
    const [module, attribute] = [name.slice(0, at), name.slice(at + 1)];
    const words = [module, attribute].flatMap((
      word,
    ) => [OP.SHORT_BINUNICODE, word.length, ...text(word)]);
    refused(() => run(...words, OP.STACK_GLOBAL, OP.STOP), pattern);
  });
}

Deno.test("unpickle() escapes names that would write to a terminal", () => {
  refused(
    () => run(...global("\x1b[2Jevil", "name"), OP.STOP),
    /refers to "\\u001b\[2Jevil\.name"/,
  );
  refused(() => run(...global("a".repeat(200), "b"), OP.STOP), /refers to "a{80}…"/);
});

for (
  const [name, opcode] of Object.entries({
    INST: 0x69,
    OBJ: 0x6f,
    NEWOBJ: 0x81,
    NEWOBJ_EX: 0x92,
    EXT1: 0x82,
    PERSID: 0x50,
  })
) {
  Deno.test(`unpickle() refuses opcode ${name} by its name`, () =>
    refused(() => run(OP.MARK, opcode), new RegExp(`opcode ${name} `)));
}

Deno.test("unpickle() refuses calls of non-functions, and attributes out of place", () => {
  refused(
    () => run(...global("torch", "FloatStorage"), OP.EMPTY_TUPLE, OP.REDUCE, OP.STOP),
    /calls torch\.FloatStorage/,
  );
  refused(
    () => run(OP.NONE, OP.EMPTY_TUPLE, OP.REDUCE, OP.STOP),
    /calls a value that is not a function/,
  );
  refused(() => run(OP.EMPTY_LIST, OP.EMPTY_DICT, OP.BUILD, OP.STOP), /sets attributes/);
  refused(() => run(OP.NONE, OP.BINPERSID, OP.STOP), /not a storage/);
});

Deno.test("unpickle() refuses lengths beyond the input before it takes memory for them", () => {
  const huge = [0xff, 0xff, 0xff, 0x7f];
  refused(() => run(OP.BINUNICODE, ...huge), /cut short: byte 5 needs 2147483647 more, 0 are left/);
  refused(() => run(OP.BINBYTES8, ...huge, ...huge), /cut short/);
  refused(() => run(OP.LONG4, ...huge), /integer of 2147483647 bytes; at most 64/);
  const long = new Uint8Array(2 ** 21);
  refused(
    () => unpickle(long.with(0, OP.BINUNICODE).with(1, 1).with(3, 0x10)),
    /text of 1048577 bytes; at most 1048576/,
  );
  refused(
    () => unpickle(long.fill(OP.PROTO).map((opcode, i) => i % 2 ? 2 : opcode)),
    /more than 1048576 bytes/,
  );
  refused(() => run(OP.PROTO, 6), /protocol 6; at most 5/);
  refused(() => run(OP.NONE), /cut short/);
  refused(() => run(OP.GLOBAL, ...text("no line feed")), /more than 256 bytes, or is cut short/);
  // a memo is no array
  assert.equal(run(OP.NONE, OP.LONG_BINPUT, 0xff, 0xff, 0xff, 0xff, OP.STOP), null);
});

Deno.test("unpickle() refuses stack, mark and memo errors", () => {
  refused(() => run(OP.STOP), /empty stack/);
  refused(() => run(OP.NONE, OP.MARK, OP.APPEND), /empty stack/);
  refused(() => run(OP.APPENDS), /never opened/);
  refused(() => run(OP.BINGET, 3), /recalls value 3/);
  refused(() => run(OP.NONE, OP.NONE, OP.APPEND), /not a list/);
  refused(() => run(OP.EMPTY_DICT, OP.MARK, OP.NONE, OP.SETITEMS), /key without a value/);
});

Deno.test("unpickle() bounds a list that is turned into many dicts", () => {
  const pairs = Array.from({ length: 2000 }, (_, i): Value[] => [String(i), i]);
  const list = pickle(pairs).bytes.subarray(2, -1);
  const make = [...global("collections", "OrderedDict"), OP.BINGET, 0, OP.TUPLE1, OP.REDUCE];
  const value = run(
    ...list,
    OP.BINPUT,
    0,
    ...Array.from({ length: 500 }, () => make).flat(),
    OP.STOP,
  );
  assert.ok(value instanceof Map && value.size === 0); // the first took them all
});

Deno.test("unpickle() of random programs gives a value or refuses", () => {
  const byte = fc.oneof(
    fc.constantFrom(...Object.values(OP)),
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0, max: 3 }),
  );
  fc.assert(
    fc.property(
      fc.array(byte, { maxLength: 80 }),
      (program) => succeedsOrRefuses(() => run(...program, OP.STOP)),
    ),
    { numRuns: 5000, seed: 1 },
  );
});

Deno.test("unpickle() of mutated pickles gives a value or refuses", () => {
  const { bytes } = pickle(
    dict({
      state_dict: dict({ "a.weight": tensor([2, 2], [1, 2, 3, 4]), b: [1, 0.5, "x", null] }),
    }),
  );
  const change = fc.record({
    at: fc.nat(bytes.length - 1),
    value: fc.integer({ min: 0, max: 255 }),
  });
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.nat(bytes.length),
      (changes, cut) => {
        const damaged = bytes.slice(0, cut < 20 ? cut * 10 : undefined);
        for (const { at, value } of changes) if (at < damaged.length) damaged[at] = value;
        succeedsOrRefuses(() => unpickle(damaged));
      },
    ),
    { numRuns: 5000, seed: 2 },
  );
});
