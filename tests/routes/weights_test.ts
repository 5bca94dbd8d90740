import assert from "node:assert/strict";
import { join } from "node:path";
import { loadModels } from "../../model/heads/load.ts";
import { withServer } from "../support/server.ts";

const FOLDER = new URL("../../weights/cpc-small", import.meta.url).pathname;
const flags = ["--model", FOLDER];

Deno.test("GET /weights/MODEL/ gives the files that a browser computes from, whole and once", async () => {
  const models = await loadModels([FOLDER]);
  await withServer(async ({ app }) => {
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
    assert.equal(index.speaker_threshold, models[0]?.speaker?.threshold);
    const { data: [model] } = await (await app.request("/v1/models")).json();
    assert.equal(model.weights, "/weights/cpc-small/");
  }, { flags, models });
});

Deno.test("GET /weights/ gives nothing else: no other file, head or model", async () => {
  const models = await loadModels([FOLDER]);
  await withServer(async ({ app }) => {
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
  }, { flags, models });
});

Deno.test("--share-weights: auto only without keys; yes to those with a key; no to nobody", async () => {
  const models = await loadModels([FOLDER]);
  const key = ["--api-key", "secret"];
  for (
    const [given, expected] of [
      [key, 404],
      [[...key, "--share-weights", "yes"], 200],
      [["--share-weights", "no"], 404],
      [["--share-weights", "yes"], 200],
    ] as const
  ) {
    await withServer(async ({ app }) => {
      const ask = (path: string, headers = {}) => app.request(path, { headers });
      const headers = { authorization: "Bearer secret" };
      const path = "/weights/cpc-small/config.json";
      const answer = await ask(path, headers);
      assert.equal(answer.status, expected, given.join(" "));
      if (expected === 404) assert.match(await answer.text(), /keeps its weights.*--share-weights/);
      else await answer.bytes();
      if (given.some((flag) => flag === "--api-key")) assert.equal((await ask(path)).status, 401);
      const { data: [model] } = await (await ask("/v1/models", headers)).json();
      assert.equal(model.weights !== undefined, expected === 200);
    }, { flags: [...flags, ...given], models });
  }
});
