import assert from "node:assert/strict";
import { LIMITS } from "../../config/limits.ts";
import { referenceForward } from "../../model/reference.ts";
import type { DecodedAmount } from "../../audio/decode.ts";
import { DecodeBudget } from "../../recordings/decode_budget.ts";
import { maxDifference } from "../support/golden.ts";
import { random } from "../support/stream.ts";
import { TEST_MODELS, type TestServer, withServer } from "../support/server.ts";

const [tiny] = TEST_MODELS;
const PATH = "/v2/models/tiny/infer";
const [ROWS, SAMPLES] = [3, 2000];
const next = random(1);
const batch = Float32Array.from({ length: ROWS * SAMPLES }, () => next() - 0.5);
const audio = { name: "audio", shape: [ROWS, SAMPLES], datatype: "FP32" };
const bytes = new Uint8Array(batch.buffer);
const input = { ...audio, parameters: { binary_data_size: bytes.length } };

/** Posts JSON, and bytes after it if there are any. */
function post(
  app: TestServer["app"],
  request: object,
  { data, path = PATH, headers = {} }: {
    data?: Uint8Array;
    path?: string;
    headers?: Record<string, string>;
  } = {},
) {
  const head = new TextEncoder().encode(JSON.stringify(request));
  const length: Record<string, string> = data
    ? { "inference-header-content-length": String(head.length) }
    : {};
  const body = new Blob([head, data?.slice() ?? ""]);
  return app.request(path, { method: "POST", body, headers: { ...length, ...headers } });
}

const truths = Array.from(
  { length: ROWS },
  (_, row) => referenceForward(tiny!, batch.subarray(row * SAMPLES, (row + 1) * SAMPLES)),
);

Deno.test("POST /v2/models/NAME/infer: binary tensors hold the features", async () => {
  await withServer(async ({ app }) => {
    const response = await post(app, {
      id: "x",
      inputs: [input],
      outputs: [{ name: "latent" }, { name: "context" }],
      parameters: { binary_data_output: true },
    }, { data: bytes, path: "/v2/models/tiny/versions/1/infer" });
    const body = new Uint8Array(await response.arrayBuffer());
    assert.equal(Number(response.headers.get("content-length")), body.length);
    const headBytes = Number(response.headers.get("inference-header-content-length"));
    const head = JSON.parse(new TextDecoder().decode(body.subarray(0, headBytes)));
    const T = truths[0]!.context.frames;
    assert.deepEqual(head, {
      model_name: "tiny",
      model_version: "1",
      id: "x",
      outputs: [["latent", 8] as const, ["context", 6] as const].map(([name, width]) => ({
        name,
        datatype: "FP32",
        shape: [ROWS, T, width],
        parameters: { binary_data_size: 4 * ROWS * T * width },
      })),
    });
    const floats = new Float32Array(body.slice(headBytes).buffer);
    const expected = [
      ...truths.flatMap(({ latent }) => [...latent.data]),
      ...truths.flatMap(({ context }) => [...context.data]),
    ];
    assert.equal(floats.length, expected.length);
    assert.ok(maxDifference(floats, expected) <= 1e-4);
    assert.match(response.headers.get("server-timing") ?? "", /^decode;dur=/);
  });
});

Deno.test("POST /v2/models/NAME/infer: JSON, flat or nested, gives the same", async () => {
  await withServer(async ({ app }) => {
    const nested = Array.from(
      { length: ROWS },
      (_, row) => [...batch.subarray(row * SAMPLES, (row + 1) * SAMPLES)],
    );
    for (const data of [[...batch], nested]) {
      const response = await post(app, { inputs: [{ ...audio, data }] });
      const { outputs } = await response.json();
      assert.deepEqual(outputs.map(({ name }: { name: string }) => name), ["context"]);
      const expected = truths.flatMap(({ context }) => [...context.data]);
      assert.equal(outputs[0].data.length, expected.length);
      assert.ok(maxDifference(outputs[0].data, expected) <= 1e-4);
    }
    const pooled = await post(
      app,
      { inputs: [input], parameters: { pool: "last", steps: "1,3" } },
      {
        data: bytes,
      },
    );
    const { outputs: [{ shape, data }] } = await pooled.json();
    assert.deepEqual(shape, [ROWS, 6]);
    const last = truths.flatMap(({ context }) => [...context.data.slice(-6)]);
    assert.ok(maxDifference(data, last) <= 1e-4);
  });
});

Deno.test("POST /v2/models/NAME/infer: binary data for one output, or for all", async () => {
  await withServer(async ({ app }) => {
    const typeOf = async (all: boolean | undefined, ...outputs: (boolean | undefined)[]) => {
      const response = await post(app, {
        inputs: [input],
        outputs: outputs.map((one, i) => ({
          name: ["context", "latent"][i],
          parameters: { binary_data: one },
        })),
        parameters: { binary_data_output: all },
      }, { data: bytes });
      await response.body?.cancel();
      return [response.status, response.headers.get("content-type")];
    };
    const [json, binary] = ["application/json", "application/octet-stream"];
    assert.deepEqual(await typeOf(undefined, undefined), [200, json]);
    assert.deepEqual(await typeOf(undefined, true), [200, binary]);
    assert.deepEqual(await typeOf(true, false), [200, json]);
    assert.deepEqual(await typeOf(true, undefined, true), [200, binary]);
    assert.deepEqual(await typeOf(undefined, true, false), [422, json]);
  });
});

Deno.test("POST /v2/models/NAME/infer refuses in the protocol's words", async () => {
  await withServer(async ({ app }) => {
    const inputs = [input];
    const json = { ...audio, data: [...batch] };
    const noNumber = Float32Array.from(batch, (x, i) => i === 4321 ? NaN : x);
    const cases: [object, Parameters<typeof post>[2], number, string, RegExp][] = [
      [{}, {}, 422, "invalid_option", /inputs/],
      [{ inputs: [] }, {}, 422, "invalid_option", /inputs/],
      [{ inputs: [{ ...input, name: "x" }] }, { data: bytes }, 422, "invalid_option", /name/],
      [
        { inputs: [{ ...input, datatype: "FP16" }] },
        { data: bytes },
        422,
        "invalid_option",
        /FP32/,
      ],
      [{ inputs }, { data: bytes.subarray(0, -1) }, 400, "invalid_message", /23999 of the 24000/],
      [{ inputs }, { data: new Uint8Array(24_001) }, 400, "invalid_message", /more than/],
      [{ inputs }, {}, 422, "invalid_option", /no data/],
      [{ inputs: [audio] }, { data: bytes }, 422, "invalid_option", /says nothing/],
      [{ inputs: [{ ...json, shape: [3, 1] }] }, {}, 422, "invalid_option", /has 3 numbers/],
      [{ inputs: [{ ...json, data: ["1"] }] }, {}, 422, "invalid_option", /data has 1/],
      [{ inputs: [{ ...audio, shape: [1, 1], data: ["1"] }] }, {}, 422, "invalid_option", /string/],
      [
        { inputs },
        { data: new Uint8Array(noNumber.buffer) },
        400,
        "invalid_audio",
        /sample 4321 of audio is NaN/,
      ],
      [{ inputs, parameters: { pool: "sum" } }, { data: bytes }, 422, "invalid_option", /pool/],
      [{ inputs, parameters: { colour: 1 } }, { data: bytes }, 422, "invalid_option", /colour/],
      [{ inputs, outputs: [{ name: "score" }] }, { data: bytes }, 422, "invalid_option", /output/],
      [
        { inputs, outputs: [{ name: "head.x" }] },
        { data: bytes },
        422,
        "invalid_option",
        /head\.x has rows, no tensor/,
      ],
      [
        { inputs, parameters: { output: "latent" } },
        { data: bytes },
        422,
        "invalid_option",
        /unknown option output/,
      ],
      [
        { inputs, outputs: [{ name: "prediction" }] },
        { data: bytes, path: "/v2/models/mute/infer" },
        422,
        "invalid_option",
        /no predictors/,
      ],
      [
        {
          inputs,
          outputs: [{ name: "context", parameters: { binary_data: true } }, { name: "latent" }],
        },
        { data: bytes },
        422,
        "invalid_option",
        /alike/,
      ],
      [
        { inputs: [{ ...audio, shape: [1, 100], data: Array(100).fill(0) }] },
        {},
        422,
        "audio_too_short",
        /one frame needs/,
      ],
      [{ inputs }, { path: "/v2/models/none/infer", data: bytes }, 404, "model_not_found", /tiny/],
      [
        { inputs },
        { path: "/v2/models/tiny/versions/2/infer", data: bytes },
        404,
        "model_not_found",
        /version 1/,
      ],
      [
        { inputs: [{ ...audio, data: "x".repeat(LIMITS.tensorJsonBytes) }] },
        {},
        413,
        "too_large",
        /1048576/,
      ],
      [
        { inputs },
        { headers: { "inference-header-content-length": "x" } },
        400,
        "invalid_message",
        /x/,
      ],
      [
        { inputs },
        { headers: { "inference-header-content-length": "999" } },
        400,
        "invalid_message",
        /fewer/,
      ],
      [
        { inputs },
        { headers: { "inference-header-content-length": "999999" } },
        413,
        "too_large",
        /65536/,
      ],
    ];
    for (const [request, how, status, code, message] of cases) {
      const response = await post(app, request, how);
      const body = await response.json();
      assert.deepEqual([response.status, body.code], [status, code], JSON.stringify(body));
      assert.match(body.error, message);
    }
  });
});

Deno.test("POST /v2/models/NAME/infer: its audio counts as decoded", async () => {
  const counted: DecodedAmount[] = [];
  const real = DecodeBudget.prototype.share;
  DecodeBudget.prototype.share = function (owner) {
    const share = real.call(this, owner);
    const take = (amount: DecodedAmount) => {
      counted.push(amount);
      share.take(amount);
    };
    return { ...share, take };
  };
  try {
    await withServer(async ({ app }) => {
      const response = await post(app, { inputs: [input] }, { data: bytes });
      assert.equal(response.status, 200, await response.text());
    });
  } finally {
    DecodeBudget.prototype.share = real;
  }
  const samples = ROWS * SAMPLES;
  assert.deepEqual(counted, [{ seconds: samples / 16_000, samples }]);
});
