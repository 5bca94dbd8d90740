import assert from "node:assert/strict";
import fc from "fast-check";
import { TensorRef } from "../../../model/checkpoints/pickle_values.ts";
import { TorchFile } from "../../../model/checkpoints/torch_file.ts";
import { refused, succeedsOrRefuses } from "../../support/checkpoints.ts";
import {
  dict,
  pickle,
  storage,
  tensor,
  type TensorValue,
  torchLegacy,
  torchZip,
  type Value,
} from "../../support/torch_writer.ts";

/** Reads the tensor `t` of a file. */
function readTensor(bytes: Uint8Array): number[] {
  const file = TorchFile.open(bytes);
  assert.ok(file.root instanceof Map);
  const ref = file.root.get("t");
  assert.ok(ref instanceof TensorRef);
  return [...file.read(ref, "t")];
}

const SERIALISATIONS = { zip: torchZip, legacy: torchLegacy };
const withTensor = (t: TensorValue): Value => dict({ t });

for (const [name, save] of Object.entries(SERIALISATIONS)) {
  Deno.test(`TorchFile: ${name} reads every float format`, () => {
    const values = [0, 1, -1.5, 0.099609375, -65504, 2 ** -14];
    for (const type of ["FloatStorage", "DoubleStorage", "HalfStorage"]) {
      assert.deepEqual(
        readTensor(save(withTensor(tensor([6], storage(values, type))))),
        values,
        type,
      );
    }
    const bfloat16 = [0, 1, -1.5, 3.140625, -(2 ** 100), 2 ** -120];
    assert.deepEqual(
      readTensor(save(withTensor(tensor([6], storage(bfloat16, "BFloat16Storage"))))),
      bfloat16,
    );
  });

  Deno.test(`TorchFile: ${name} refuses integers as weights, and reads past them elsewhere`, () => {
    refused(
      () => readTensor(save(withTensor(tensor([], storage([3], "LongStorage"))))),
      /tensor t holds int64; weights are floats/,
    );
    const both = dict({ steps: tensor([], storage([3], "LongStorage")), t: tensor([1], [7]) });
    assert.deepEqual(readTensor(save(both)), [7]);
  });

  Deno.test(`TorchFile: ${name} reads views by offset and stride, on any device`, () => {
    const shared = storage([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "FloatStorage", "cuda:0");
    const views: [TensorValue, number[]][] = [
      [tensor([2, 3], shared, { offset: 2 }), [2, 3, 4, 5, 6, 7]],
      [tensor([3, 2], shared, { strides: [1, 3], offset: 1 }), [1, 4, 2, 5, 3, 6]], // transposed
      [tensor([2, 1, 2], shared, { strides: [5, 99, 2] }), [0, 2, 5, 7]],
      [tensor([], shared, { offset: 9 }), [9]],
      [tensor([0, 4], shared), []],
    ];
    for (const [view, expected] of views) {
      assert.deepEqual(readTensor(save(withTensor(view))), expected);
    }
  });

  Deno.test(`TorchFile: ${name} refuses views beyond their storage, expanded ones included`, () => {
    const four = storage([1, 2, 3, 4]);
    for (
      const view of [
        tensor([5], four),
        tensor([2], four, { offset: 3 }),
        tensor([2, 2], four, { strides: [3, 2] }),
        tensor([1_000_000_000], four, { strides: [0] }), // 4 GB from 16 bytes
        tensor([2 ** 30, 2 ** 30, 2 ** 30], four, { strides: [0, 0, 0] }),
        tensor([4], { ...four, elements: 2 ** 50 }, { offset: 1 }),
      ]
    ) refused(() => readTensor(save(withTensor(view))), /reaches beyond its storage|cut short/);
  });

  Deno.test(`TorchFile: ${name} refuses NaN and infinities with the tensor and the place`, () => {
    refused(
      () => readTensor(save(withTensor(tensor([2], [1, NaN])))),
      /tensor t holds NaN at element 1/,
    );
    refused(
      () => readTensor(save(withTensor(tensor([1], storage([1e300], "DoubleStorage"))))),
      /tensor t holds Infinity at element 0/,
    );
  });

  Deno.test(`TorchFile: ${name} refuses to grow beyond the file by shared bytes`, () => {
    const shared = storage(new Float32Array(1000));
    const file = TorchFile.open(
      save(
        dict(
          Object.fromEntries(
            Array.from({ length: 40 }, (_, i) => [`${i}`, tensor([1000], shared)]),
          ),
        ),
      ),
    );
    assert.ok(file.root instanceof Map);
    const refs = [...file.root.values()].filter((value) => value instanceof TensorRef);
    assert.equal(refs.length, 40);
    refused(() => refs.forEach((ref) => file.read(ref, "t")), /more than 4 times the file's size/);
  });

  Deno.test(`TorchFile: ${name} cut short anywhere is refused`, () => {
    const bytes = save(dict({ t: tensor([64], new Float32Array(64).fill(1)) }));
    for (let length = 0; length < bytes.length; length++) {
      refused(
        () => readTensor(bytes.subarray(0, length)),
        /cut short|not a file of torch\.save|empty stack/,
      );
    }
  });

  Deno.test(`TorchFile: ${name} mutated at random gives values or refuses`, () => {
    const bytes = save(
      dict({
        t: tensor([4, 2], [1, 2, 3, 4, 5, 6, 7, 8], { strides: [1, 4] }),
        s: "text",
        n: [1, 2.5, null],
      }),
    );
    const change = fc.record({
      at: fc.nat(bytes.length - 1),
      value: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x28, 0x52),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = bytes.slice();
        for (const { at, value } of changes) damaged[at] = value;
        succeedsOrRefuses(() => {
          const file = TorchFile.open(damaged);
          if (!(file.root instanceof Map)) return;
          for (const [name, value] of file.root) {
            if (value instanceof TensorRef) file.read(value, String(name));
          }
        });
      }),
      { numRuns: 3000, seed: 3 },
    );
  });
}

Deno.test("TorchFile: zip with a changed byte of weights is refused by its checksum", () => {
  const bytes = torchZip(dict({ t: tensor([64], new Float32Array(64).fill(1)) }));
  const ones = [0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f]; // two float32
  const at = bytes.findIndex((_, i) => ones.every((byte, n) => bytes[i + n] === byte));
  assert.ok(at > 0);
  bytes[at] ^= 1;
  refused(() => readTensor(bytes), /entry "archive\/data\/0" is damaged/);
});

Deno.test("TorchFile: compressed entries are refused, so that nothing can grow", () => {
  const bomb = torchZip(dict({ t: tensor([1_000_000], new Float32Array(1_000_000)) }), {
    level: 9,
  });
  assert.ok(bomb.length < 20_000);
  refused(() => readTensor(bomb), /is compressed/);
});

Deno.test("TorchFile: big-endian files are refused in both serialisations", () => {
  const value = dict({ t: tensor([1], [1]) });
  refused(() => TorchFile.open(torchZip(value, { byteorder: "big" })), /big-endian order/);
  refused(() => TorchFile.open(torchLegacy(value, { littleEndian: false })), /big-endian order/);
});

Deno.test("TorchFile: what is no file of torch.save says so", () => {
  refused(
    () => TorchFile.open(new TextEncoder().encode("RIFF....")),
    /neither as a zip archive nor as a pickle/,
  );
  refused(() => TorchFile.open(new Uint8Array()), /neither/);
  refused(() => TorchFile.open(pickle("a pickle").bytes), /not one of torch\.save/);
});
