import assert from "node:assert/strict";
import { join } from "node:path";
import { Hono } from "hono";
import { CpcError, toCpcError } from "../../errors.ts";
import { poolModels } from "../../inference/models.ts";
import { loadModels } from "../../model/heads/load.ts";
import type { HeadFile } from "../../model/heads/spec.ts";
import type { Weights } from "../../model/weights.ts";
import { mountWeights } from "../../routes/weights.ts";
import { serverConfigOf } from "../support/config.ts";
import { writeTinyModel } from "../support/models.ts";
import { withServer } from "../support/server.ts";

const FOLDER = new URL("../../weights/cpc-small", import.meta.url).pathname;

/** The route alone, with the shipped model, or one that was made of it. */
async function shipped(
  made: (weights: Weights) => Weights = (weights) => weights,
): Promise<{ app: Hono; threshold?: number }> {
  const models = (await loadModels([FOLDER])).map(made);
  const known = poolModels(models);
  const app = new Hono();
  app.onError((thrown, c) => c.text(String(thrown), toCpcError(thrown).http as 400));
  mountWeights(app, {
    config: serverConfigOf(["--model", FOLDER]),
    pool: {
      model(id = "") {
        const model = known.get(id);
        if (!model) throw new CpcError("model_not_found", id);
        return model;
      },
    },
  });
  return { app, threshold: models[0]?.speaker?.threshold };
}

Deno.test("GET /weights/MODEL/ gives a browser's files, whole and once", async () => {
  const { app, threshold } = await shipped();
  for (
    const path of [
      "config.json",
      "model.safetensors",
      "heads/speech/head.json",
      "heads/speech/head.onnx",
    ]
  ) {
    const answer = await app.request(`/weights/cpc-small/${path}`);
    assert.equal(answer.status, 200, path);
    const bytes = await answer.bytes();
    assert.deepEqual(bytes, Deno.readFileSync(join(FOLDER, path)));
    assert.equal(answer.headers.get("content-length"), String(bytes.length));
    const headers = { "if-none-match": answer.headers.get("etag") ?? "" };
    assert.equal((await app.request(`/weights/cpc-small/${path}`, { headers })).status, 304);
  }
  const index = await (await app.request("/weights/cpc-small/index.json")).json();
  assert.deepEqual(index.heads, ["speech"]); // the built-in one comes with the engine
  assert.equal(index.speaker_threshold, threshold);
});

Deno.test("GET /weights/MODEL/index.json leaves out the built-in head alone", async () => {
  const named = async (made: (weights: Weights) => Weights) => {
    const { app } = await shipped(made);
    return await (await app.request("/weights/cpc-small/index.json")).json();
  };
  const withHead = (name: string, enrolled: boolean) => (weights: Weights): Weights => {
    const [{ enrolled: _, ...head }] = weights.heads as [HeadFile];
    const own = { ...head, name, ...(enrolled && { enrolled: true as const }) };
    return { ...weights, heads: [own], speaker: undefined };
  };
  assert.deepEqual(await named(withHead("speaker", true)), { heads: [] });
  assert.deepEqual(await named(withHead("speaker", false)), { heads: ["speaker"] });
  assert.deepEqual(await named(withHead("voice", true)), { heads: ["voice"] });
  const headless = ({ heads: _, ...weights }: Weights) => weights;
  assert.deepEqual((await named(headless)).heads, []);
});

Deno.test("GET /weights/ gives nothing else: no other file, head or model", async () => {
  const { app } = await shipped();
  for (
    const path of [
      "cpc-small/README.md",
      "cpc-small/speaker.json",
      "cpc-small/..%2Fcpc-base%2Fconfig.json",
      "cpc-small/heads/speech/README.md",
      "cpc-small/heads/..%2F..%2Fx/head.json",
      "cpc-small/heads/speaker/head.onnx",
      "cpc-base/config.json",
      "..%2Fweights/config.json",
    ]
  ) {
    assert.equal((await app.request(`/weights/${path}`)).status, 404, path);
  }
});

Deno.test("--share-weights: auto without keys; yes with a key; no to nobody", async () => {
  const folder = await Deno.makeTempDir();
  await writeTinyModel(folder);
  const key = ["--api-key", "secret"];
  for (
    const [given, expected] of [
      [key, 404],
      [[...key, "--share-weights", "yes"], 200],
      [["--share-weights", "no"], 404],
      [[], 200],
    ] as const
  ) {
    await withServer(async ({ app }) => {
      const headers = { authorization: "Bearer secret" };
      const path = "/weights/tiny/config.json";
      const answer = await app.request(path, { headers });
      assert.equal(answer.status, expected, given.join(" "));
      const text = await answer.text();
      if (expected === 404) assert.match(text, /keeps its weights.*--share-weights/);
      if (given.some((flag) => flag === "--api-key")) {
        assert.equal((await app.request(path)).status, 401);
      }
      const { data } = await (await app.request("/v1/models", { headers })).json();
      const places = data.map(({ weights }: { weights?: string }) => weights);
      assert.deepEqual(places, [expected === 200 ? "/weights/tiny/" : undefined, undefined]);
      const loadedLater = await app.request("/weights/mute/config.json", { headers });
      assert.equal(loadedLater.status, 404);
      if (expected === 200) assert.match(await loadedLater.text(), /mute lies in no folder/);
    }, { flags: ["--model", `${folder}/tiny`, ...given] });
  }
  await Deno.remove(folder, { recursive: true });
});
