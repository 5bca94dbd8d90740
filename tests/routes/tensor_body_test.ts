import assert from "node:assert/strict";
import { Hono } from "hono";
import { LIMITS } from "../../config/limits.ts";
import { CpcError } from "../../errors.ts";
import { MemoryBudget } from "../../recordings/memory_budget.ts";
import { HEAD_LENGTH, type InferHead, readTensors } from "../../routes/tensor_body.ts";

/** What came of a request. */
interface Read {
  readonly head?: InferHead;
  readonly samples?: readonly number[];
  readonly code?: string;
  readonly param?: string;
  readonly message?: string;
}

const [ROWS, SAMPLES] = [2, 50];
const TENSOR_BYTES = 4 * ROWS * SAMPLES;
const audio = { name: "audio", datatype: "FP32", shape: [ROWS, SAMPLES] };
const binary = (more: object = {}) => ({
  inputs: [{ ...audio, parameters: { binary_data_size: TENSOR_BYTES }, ...more }],
});
const floats = Float32Array.from({ length: ROWS * SAMPLES }, (_, i) => i / 7);

/**
 * Reads a request that comes in pieces of `pieceBytes`.
 *
 * @param options `data`: bytes after the JSON; `declared`: the header in place of the true one
 */
async function read(
  json: object | Uint8Array,
  { data, declared, pieceBytes = 1000, memoryBytes = 2 ** 20 }: {
    data?: Uint8Array;
    declared?: string;
    pieceBytes?: number;
    memoryBytes?: number;
  } = {},
): Promise<Read> {
  const head = json instanceof Uint8Array ? json : encoded(json);
  const body = Uint8Array.from([...head, ...data ?? []]);
  const pieces = Array.from(
    { length: Math.ceil(body.length / pieceBytes) },
    (_, i) => body.slice(i * pieceBytes, (i + 1) * pieceBytes),
  );
  const length = declared ?? (data && String(head.length));
  const headers: Record<string, string> = length === undefined ? {} : { [HEAD_LENGTH]: length };
  const { signal } = new AbortController();
  const came = Promise.withResolvers<Read>();
  const app = new Hono();
  app.post("/", async (c) => {
    const memory = new MemoryBudget(memoryBytes).share();
    try {
      const { head, samples } = await readTensors(c, { memory, stallMs: 60_000, signal });
      came.resolve({ head, samples: [...samples] });
    } catch (error) {
      assert.ok(error instanceof CpcError, String(error));
      const { code, param, message } = error;
      came.resolve({ code, param, message });
    }
    return c.body(null);
  });
  await app.request("/", { method: "POST", headers, body: ReadableStream.from(pieces) });
  return await came.promise;
}

const encoded = (json: object) => new TextEncoder().encode(JSON.stringify(json));
const bytesOf = (samples: Float32Array) => new Uint8Array(samples.slice().buffer);

Deno.test("readTensors() gives the same samples however the body is cut", async () => {
  const request = { id: "déjà €", ...binary() };
  for (const pieceBytes of [1, 3, 4, 7, 64, 1000]) {
    const { head, samples } = await read(request, { data: bytesOf(floats), pieceBytes });
    assert.deepEqual([head?.id, samples], ["déjà €", [...floats]], `${pieceBytes} bytes`);
    const nested = [[...floats.subarray(0, SAMPLES)], [...floats.subarray(SAMPLES)]];
    const inJson = await read({ id: "déjà €", inputs: [{ ...audio, data: nested }] }, {
      pieceBytes,
    });
    assert.deepEqual([inJson.head?.id, inJson.samples], ["déjà €", [...floats]]);
    for (const bad of [0, 37, ROWS * SAMPLES - 1]) {
      const data = bytesOf(floats.with(bad, -Infinity));
      const { code, param, message } = await read(request, { data, pieceBytes });
      assert.deepEqual([code, param], ["invalid_audio", "inputs.0"]);
      assert.match(message ?? "", new RegExp(`^sample ${bad} of audio is -Infinity`));
    }
  }
});

Deno.test("readTensors() accounts for the JSON and 4 bytes of each sample", async () => {
  const json = { inputs: [{ ...audio, data: [...floats].map(Math.floor) }] };
  const [text, head] = [encoded(json).length, encoded(binary()).length];
  const ways: [object, { data?: Uint8Array }, number][] = [
    [json, {}, text + TENSOR_BYTES],
    [binary(), { data: bytesOf(floats) }, head + TENSOR_BYTES],
  ];
  for (const [request, how, bytes] of ways) {
    assert.equal((await read(request, { ...how, memoryBytes: bytes })).code, undefined);
    assert.equal((await read(request, { ...how, memoryBytes: bytes - 1 })).code, "too_large");
  }
  assert.equal((await read(json, { memoryBytes: text - 1 })).code, "too_large");
  assert.equal(
    (await read(binary(), { data: bytesOf(floats), memoryBytes: 9 })).code,
    "too_large",
  );
});

Deno.test("readTensors() takes heads, ids and shapes up to their bounds", async () => {
  const data = bytesOf(floats);
  const shaped = (rows: number, samples: number) =>
    read({
      inputs: [{
        ...audio,
        shape: [rows, samples],
        parameters: { binary_data_size: 4 * rows * samples },
      }],
    }, { data: new Uint8Array(8) });
  assert.equal((await read({ id: "x".repeat(200), ...binary() }, { data })).code, undefined);
  const long = await read({ id: "x".repeat(201), ...binary() }, { data });
  assert.deepEqual([long.code, long.param], ["invalid_option", "id"]);

  const padded = new Uint8Array(LIMITS.optionBytes).fill(32);
  padded.set(encoded(binary()));
  assert.deepEqual((await read(padded, { data })).samples, [...floats]);
  const declared = String(LIMITS.optionBytes + 1);
  assert.equal((await read(padded, { data, declared })).code, "too_large");

  const most = LIMITS.bodyBytes / 4;
  assert.deepEqual((await shaped(LIMITS.clips, 1)).code, "invalid_message"); // it ends early
  assert.match((await shaped(1, most)).message ?? "", /--memory-budget/); // for want of it alone
  const larger = await shaped(2, most);
  assert.deepEqual(larger.code, "too_large");
  assert.doesNotMatch(larger.message ?? "", /--memory-budget/);
  for (
    const [rows, samples, place] of [[0, 9, 0], [LIMITS.clips + 1, 1, 0], [1, 0, 1], [
      1,
      most + 1,
      1,
    ]]
  ) {
    const { code, param } = await shaped(rows!, samples!);
    assert.deepEqual([code, param], ["invalid_option", `inputs.0.shape.${place}`]);
  }
});

Deno.test("readTensors() refuses what is no request, and names the member", async () => {
  const data = bytesOf(floats);
  const one = { ...audio, shape: [1, 1] };
  const cases: [object | Uint8Array, Parameters<typeof read>[1], string, string | undefined][] = [
    [[], {}, "invalid_option", "body"],
    [{ inputs: [{ ...audio, name: "sound" }] }, {}, "invalid_option", "inputs.0.name"],
    [{ inputs: [audio, audio] }, {}, "invalid_option", "inputs"],
    [{ ...binary(), outputs: [] }, { data }, "invalid_option", "outputs"],
    [binary({ data: [1] }), { data }, "invalid_option", "inputs.0"],
    [binary({ data: [...floats] }), {}, "invalid_option", "inputs.0.data"],
    [binary({ parameters: { binary_data_size: 396 } }), { data }, "invalid_option", "inputs.0"],
    [{ inputs: [{ ...one, data: [[[1]]] }] }, {}, "invalid_option", "inputs.0.data"],
    [{ inputs: [{ ...one, data: [true] }] }, {}, "invalid_option", "inputs.0.data"],
    [{ inputs: [{ ...one, data: [1e39] }] }, {}, "invalid_audio", "inputs.0"],
    [Uint8Array.of(0x22, 0xff, 0x22), {}, "invalid_message", undefined],
    [Uint8Array.of(0x7b, 0xc3), {}, "invalid_message", undefined],
    [binary(), { data: data.subarray(1) }, "invalid_message", undefined],
    [binary(), { data: new Uint8Array(TENSOR_BYTES + 1) }, "invalid_message", undefined],
    [binary(), { declared: "999" }, "invalid_message", undefined],
    ...["0", "-1", "1e3", "07", "1234567890"].map((declared) =>
      [binary(), { declared }, "invalid_message", undefined] as never
    ),
  ];
  for (const [json, how, code, param] of cases) {
    const found = await read(json, how);
    assert.deepEqual([found.code, found.param], [code, param], JSON.stringify([json, how]));
  }
  const zeros = Array(1025).fill(0);
  const members = Object.fromEntries(zeros.map((zero, i) => [`m${i}`, zero]));
  for (
    const long of [
      { inputs: zeros },
      { inputs: [audio], outputs: zeros },
      { inputs: [{ ...audio, shape: zeros }] },
      { inputs: [audio], parameters: members },
      { inputs: [{ ...one, data: zeros.map(() => []) }] },
      zeros,
    ]
  ) {
    const { code, message } = await read(long, {});
    assert.equal(code, "invalid_message");
    assert.match(message ?? "", /more than 1024 lists, members or items beside its numbers/);
  }
  const many = await read({ inputs: [{ ...one, data: zeros }] }, {});
  assert.match(many.message ?? "", /data has 1025/);
  const { message } = await read(binary(), { declared: "no number but a tall story" });
  assert.match(message ?? "", /got no number but a tall$/);
});
