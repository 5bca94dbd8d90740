/** `split=1` in `POST /v1/embeddings`: features of every channel. */
import assert from "node:assert/strict";
import { unzipSync } from "fflate";
import { referenceForward, referencePredictions } from "../../model/reference.ts";
import { maxDifference } from "../support/golden.ts";
import { TEST_MODELS, type TestServer, wav, withServer } from "../support/server.ts";
import { coarseNoise } from "../support/noise.ts";

const [tiny] = TEST_MODELS;
const PATH = "/v1/embeddings";

/** Signals of one length, interleaved. */
function interleaved(signals: readonly Float32Array[]): Float32Array {
  const C = signals.length;
  return Float32Array.from({ length: C * signals[0].length }, (_, i) => signals[i % C][i / C | 0]);
}

const post = (app: TestServer["app"], body: BodyInit, query = "", headers = {}) =>
  app.request(PATH + query, { method: "POST", body, headers });

/** The shape and the numbers of an npy file of float32. */
function npy(file: Uint8Array): { shape: number[]; data: Float32Array } {
  const headerBytes = new DataView(file.buffer, file.byteOffset).getUint16(8, true);
  const header = new TextDecoder().decode(file.subarray(10, 10 + headerBytes));
  const shape = /'shape': \(([^)]*)\)/.exec(header)![1].split(",").filter((x) => x.trim() !== "");
  return { shape: shape.map(Number), data: new Float32Array(file.slice(10 + headerBytes).buffer) };
}

Deno.test("POST /v1/embeddings: with split=1 a row has a vector of each channel", async () => {
  await withServer(async ({ app }) => {
    const signals = [1, 2, 3].map((seed) => coarseNoise(3_000, seed));
    const file = wav(interleaved(signals), { channels: 3 });
    const truths = signals.map((signal) => {
      const { context, latent, hidden } = referenceForward(tiny, signal);
      return { context, latent, predictions: referencePredictions(tiny, hidden) };
    });
    const frames = truths[0].context.frames;
    const response = await post(app, file, "?split=1&output=context,latent,prediction&steps=2");
    const { data, usage } = await response.json();
    assert.deepEqual([data.length, data[0].frames, data[0].seconds], [1, frames, 3_000 / 16_000]);
    assert.equal(usage.audio_seconds, 3_000 / 16_000);
    for (const output of ["context", "latent", "prediction"]) {
      assert.equal(data[0][output].length, frames);
      assert.ok(data[0][output].every((row: unknown[]) => row.length === 3));
    }
    for (const [c, { context, latent, predictions }] of truths.entries()) {
      const of = (output: string) => data[0][output].map((row: number[][]) => row[c]).flat(2);
      assert.ok(maxDifference(of("context"), context.data) <= 1e-4);
      assert.ok(maxDifference(of("latent"), latent.data) <= 1e-4);
      const Z = latent.width;
      const second = Array.from(
        { length: frames },
        (
          _,
          t,
        ) => [
          ...predictions.data.subarray(t * predictions.width + Z, t * predictions.width + 2 * Z),
        ],
      );
      assert.ok(maxDifference(of("prediction"), second.flat()) <= 1e-4);
    }
  });
});

Deno.test("POST /v1/embeddings: split=1 with pools, npy and npz, in forms and JSON", async () => {
  await withServer(async ({ app }) => {
    const signals = [4, 5].map((seed) => coarseNoise(4_000, seed));
    const file = wav(interleaved(signals), { channels: 2, bits: 24 });
    const truths = signals.map((signal) => referenceForward(tiny, signal).context);
    const { frames, width } = truths[0];
    const pooled = await (await post(app, file, "?split=1&pool=last")).json();
    for (const [c, { data }] of truths.entries()) {
      assert.ok(maxDifference(pooled.data[0].context[c], data.slice(-width)) <= 1e-4);
    }
    const one = npy(
      new Uint8Array(
        await (await post(app, file, "?split=1&format=npy")).arrayBuffer(),
      ),
    );
    assert.deepEqual(one.shape, [frames, 2, width]);
    for (const [c, { data }] of truths.entries()) {
      const rows = Array.from(
        { length: frames },
        (_, t) => [...one.data.subarray((2 * t + c) * width, (2 * t + c + 1) * width)],
      );
      assert.ok(maxDifference(rows.flat(), data) <= 1e-4);
    }
    const form = new FormData();
    form.append("split", "1");
    form.append("format", "npz");
    for (let i = 0; i < 2; i++) form.append("file", new Blob([file]), "stereo.wav");
    const zip = unzipSync(new Uint8Array(await (await post(app, form)).arrayBuffer()));
    assert.deepEqual(Object.keys(zip), ["0.context.npy", "1.context.npy"]);
    for (const member of Object.values(zip)) {
      const { shape, data } = npy(member);
      assert.deepEqual(shape, one.shape);
      assert.ok(maxDifference(data, one.data) <= 1e-5); // they shared steps: rounded differently
    }
    const json = JSON.stringify({ input: [file.toBase64()], split: 1, pool: "last" });
    const told = await (await post(app, json, "", { "content-type": "application/json" })).json();
    const [rows, expected] = [told, pooled].map(({ data }) => data[0].context.flat());
    assert.ok(maxDifference(rows, expected) <= 1e-5);
  });
});

Deno.test("POST /v1/embeddings: split=1 is 422 for one channel or too many", async () => {
  await withServer(async ({ app }) => {
    const refused = async (response: Response) => {
      const { error } = await response.json();
      return [response.status, error.code, error.param, error.message];
    };
    const mono = wav(coarseNoise(2_000, 1));
    const stereo = wav(coarseNoise(4_000, 2), { channels: 2 });
    const bounds = "option split=1 takes recordings of 2 to 8 channels; this one has";
    const form = new FormData();
    for (const file of [stereo, mono]) form.append("file", new Blob([file]), "clip.wav");
    assert.deepEqual(
      await refused(await post(app, form, "?split=1")),
      [422, "invalid_option", "input[1]", `${bounds} 1`],
    );
    const nine = wav(coarseNoise(9_000, 3), { channels: 9 });
    assert.deepEqual(
      await refused(await post(app, nine, "?split=1")),
      [422, "invalid_option", "input[0]", `${bounds} 9`],
    );
    for (const value of ["0", "2", "true", ""]) {
      assert.deepEqual(
        await refused(await post(app, stereo, `?split=${value}`)),
        [422, "invalid_option", "split", `option split: must be 1, or left out, got "${value}"`],
      );
    }
  });
});
