import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError } from "../../errors.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../model/safetensors.ts";
import { checkTensors, loadWeights, parseConfig, type Weights } from "../../model/weights.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

/** A weights folder in a temporary place. */
async function folder(
  files: Record<string, string | Uint8Array>,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeFile(
        `${path}/${name}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    await use(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

const weights = randomWeights(tinyConfig);
const config = JSON.stringify(tinyConfig);
const refusal = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CpcError && error.code === "weights_invalid", String(error));
  assert.match(error.message, pattern);
  return true;
};
const changed = (change: (tensors: Map<string, Tensor>) => void): Weights["tensors"] => {
  const tensors = new Map(
    [...weights.tensors].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );
  change(tensors);
  return tensors;
};

Deno.test("loadWeights() reads fp32 exactly and fp16 to half precision", async () => {
  for (const dtype of ["F32", "F16"] as const) {
    await folder({
      "config.json": config,
      "model.safetensors": writeSafetensors(weights.tensors, { dtype }),
    }, async (path) => {
      const loaded = await loadWeights(path);
      assert.equal(loaded.id, path.split("/").pop());
      for (const [name, { shape, data }] of weights.tensors) {
        const found = loaded.tensors.get(name);
        assert.deepEqual(found?.shape, shape);
        found?.data.forEach((x, i) =>
          assert.equal(x, dtype === "F32" ? data[i] : Math.f16round(data[i]), name)
        );
      }
    });
  }
});

Deno.test("loadWeights() names the file that is missing", async () => {
  await assert.rejects(
    loadWeights("no/such/folder"),
    refusal(/no config\.json in the weights folder no\/such\/folder/),
  );
  await folder(
    { "config.json": config },
    (path) => assert.rejects(loadWeights(path), refusal(/no model\.safetensors/)),
  );
});

Deno.test("parseConfig() names the member at fault", () => {
  assert.throws(() => parseConfig("{"), refusal(/not JSON/));
  assert.throws(
    () => parseConfig(JSON.stringify({ ...tinyConfig, version: 7 })),
    refusal(/version/),
  );
  assert.throws(
    () => parseConfig(JSON.stringify({ ...tinyConfig, sample_rate: 44100 })),
    refusal(/sample_rate/),
  );
});

Deno.test("parseConfig() refuses a channel norm over one channel, whose variance is 0/0", () => {
  const [first, ...others] = tinyConfig.encoder;
  const withFirst = (channels: number) =>
    JSON.stringify({
      ...tinyConfig,
      encoder: [{ ...first, norm: "channel", channels }, ...others],
    });
  assert.throws(() => parseConfig(withFirst(1)), refusal(/at least 2 channels.*encoder\[0\].norm/));
  assert.equal(parseConfig(withFirst(2)).encoder[0]!.channels, 2);
});

Deno.test("checkTensors() names the tensor that is missing, misshapen, unknown or invalid", () => {
  const check = (tensors: Weights["tensors"]) => () => checkTensors(tinyConfig, tensors);
  check(weights.tensors)();
  const hh = "context.weight_hh_l0";
  assert.throws(
    check(changed((t) => t.delete(hh))),
    refusal(/context\.weight_hh_l0 of shape \[18,6\] is missing/),
  );
  assert.throws(
    check(changed((t) => t.set("extra", { shape: [1], data: new Float32Array(1) }))),
    refusal(/extra is not part/),
  );
  const wrong = { shape: [6, 18], data: new Float32Array(108) };
  assert.throws(
    check(changed((t) => t.set(hh, wrong))),
    refusal(/weight_hh_l0 must have shape \[18,6\], it has \[6,18\]/),
  );
  assert.throws(
    check(changed((t) => t.get("encoder.2.norm.running_var")!.data[3] = -1)),
    refusal(/encoder\.2\.norm\.running_var/),
  );
});

Deno.test("readSafetensors() names the tensor that is not finite", () => {
  for (const bad of [NaN, Infinity]) {
    const file = writeSafetensors(changed((t) => t.get("predictors.1.weight")!.data[5] = bad));
    assert.throws(
      () => readSafetensors(file),
      refusal(/predictors\.1\.weight holds (NaN|Infinity) at element 5/),
    );
  }
});

Deno.test("readSafetensors() refuses a file cut short anywhere", () => {
  const file = writeSafetensors(weights.tensors);
  fc.assert(fc.property(fc.nat(file.length - 1), (length) => {
    assert.throws(
      () => readSafetensors(file.subarray(0, length)),
      refusal(/cut short|fewer than the 8/),
    );
  }));
});

Deno.test("readSafetensors() ends in weights_invalid or a sound result whatever the bytes", () => {
  const file = writeSafetensors(
    new Map([["a", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }]]),
  );
  const change = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const mutated = file.slice();
      for (const [at, value] of changes) mutated[at] = value;
      try {
        for (const { shape, data } of readSafetensors(mutated).values()) {
          assert.equal(data.length, shape.reduce((a, b) => a * b, 1));
        }
      } catch (error) {
        refusal(/./)(error);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("readSafetensors() refuses other dtypes, gaps and overlaps", () => {
  const file = (entries: Record<string, unknown>, dataBytes: number) => {
    const header = new TextEncoder().encode(JSON.stringify(entries));
    const bytes = new Uint8Array(8 + header.length + dataBytes);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(header, 8);
    return bytes;
  };
  const entry = (from: number, to: number, dtype = "F32") => ({
    dtype,
    shape: [(to - from) / 4],
    data_offsets: [from, to],
  });
  assert.throws(
    () => readSafetensors(file({ a: entry(0, 8, "BF16") }, 8)),
    refusal(/tensor a has dtype BF16/),
  );
  assert.throws(
    () => readSafetensors(file({ a: entry(0, 8), b: entry(12, 16) }, 16)),
    refusal(/tensor b begins at byte 12/),
  );
  assert.throws(
    () => readSafetensors(file({ a: entry(0, 8), b: entry(4, 12) }, 12)),
    refusal(/tensor b begins at byte 4/),
  );
  assert.throws(
    () => readSafetensors(file({ a: entry(0, 8) }, 12)),
    refusal(/end at byte 8 of the data, the file at 12/),
  );
});
