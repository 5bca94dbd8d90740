import assert from "node:assert/strict";
import { VERSION } from "../../version.ts";
import { withServer } from "../support/server.ts";

Deno.test("/v2: metadata and probes; keys and origins as everywhere", async () => {
  const key = "correct-horse-battery";
  await withServer(async ({ app, ctx }) => {
    const get = async (path: string, headers = { authorization: `Bearer ${key}` }) => {
      const response = await app.request(path, { headers });
      return { status: response.status, body: await response.json() };
    };
    const server = await get("/v2");
    assert.deepEqual([server.status, server.body], [200, {
      name: "cpc-stream",
      version: VERSION,
      extensions: ["binary_tensor_data", "model_configuration"],
    }]);
    const tensors = [["context", [-1, -1, 6]], ["latent", [-1, -1, 8]], [
      "prediction",
      [-1, -1, 3, 8],
    ]] as const;
    const datatype = "FP32";
    assert.deepEqual(await get("/v2/models/tiny"), {
      status: 200,
      body: {
        name: "tiny",
        versions: ["1"],
        platform: "cpc-stream",
        inputs: [{ name: "audio", datatype, shape: [-1, -1] }],
        outputs: tensors.map(([name, shape]) => ({ name, datatype, shape })),
      },
    });
    assert.equal((await get("/v2/models/mute/versions/1")).body.outputs.length, 2);
    const data_type = "TYPE_FP32";
    assert.deepEqual(await get("/v2/models/tiny/config"), {
      status: 200,
      body: {
        name: "tiny",
        platform: "cpc-stream",
        max_batch_size: 0,
        input: [{ name: "audio", data_type, dims: [-1, -1] }],
        output: tensors.map(([name, dims]) => ({ name, data_type, dims })),
      },
    });
    assert.deepEqual((await get("/v2/models/tiny/ready")).body, { name: "tiny", ready: true });
    assert.equal((await get("/v2/models/none/ready")).status, 404);
    const { body: odd } = await get("/v2/models/no%0Aname");
    assert.deepEqual([typeof odd.error, odd.code], ["string", "model_not_found"]);
    for (const what of ["live", "ready"]) {
      const answer = await app.request(`/v2/health/${what}`);
      assert.deepEqual([answer.status, await answer.json()], [200, { [what]: true }]);
    }
    const keyless = await app.request("/v2/models/tiny");
    assert.deepEqual([keyless.status, (await keyless.json()).code], [401, "unauthorized"]);
    const foreign = await app.request("/v2/models/tiny/infer", {
      method: "POST",
      body: "{}",
      headers: { authorization: `Bearer ${key}`, origin: "https://evil.example" },
    });
    assert.deepEqual([foreign.status, (await foreign.json()).code], [403, "origin_not_allowed"]);
    ctx.phase = "draining";
    const paths = ["/v2/health/ready", "/v2/models/tiny/ready", "/v2/health/live"];
    const statuses = await Promise.all(paths.map(async (path) => (await get(path)).status));
    assert.deepEqual(statuses, [503, 503, 200]);
    const late = await app.request("/v2/models/tiny/infer", {
      method: "POST",
      body: "{}",
      headers: { authorization: `Bearer ${key}` },
    });
    assert.equal(late.status, 503);
    await late.body?.cancel();
  }, { flags: ["--api-key", key] });
});
