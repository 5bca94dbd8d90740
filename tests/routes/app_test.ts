import assert from "node:assert/strict";
import { embeddingsSchema, errorSchema, modelSchema, modelsSchema } from "../../routes/schemas.ts";
import { wav, withServer } from "../support/server.ts";

const KEY = "correct-horse-battery";

Deno.test("GET /v1/models lists what was loaded with its derived figures", async () => {
  await withServer(async ({ app }) => {
    const { object, data } = await (await app.request("/v1/models")).json();
    assert.equal(object, "list");
    assert.deepEqual(data.map(({ id }: { id: string }) => id), ["tiny", "mute"]);
    const { dims, hop, receptive_field, lookahead, frame_rate, sample_rate } = data[0];
    assert.deepEqual({ dims, hop, receptive_field, lookahead, frame_rate, sample_rate }, {
      dims: { latent: 8, context: 6, steps: 3 },
      hop: 160,
      receptive_field: 465,
      lookahead: 312,
      frame_rate: 100,
      sample_rate: 16_000,
    });
    assert.deepEqual(await (await app.request("/v1/models/mute")).json(), data[1]);
    const missing = await app.request("/v1/models/none");
    assert.equal(missing.status, 404);
    assert.match((await missing.json()).error.message, /tiny, mute/);
  });
});

Deno.test("probes: alive always, ready only while serving", async () => {
  await withServer(async ({ app, ctx }) => {
    assert.equal((await app.request("/healthz")).status, 200);
    assert.equal((await app.request("/readyz")).status, 200);
    for (const phase of ["loading", "draining"] as const) {
      ctx.phase = phase;
      const response = await app.request("/readyz");
      assert.deepEqual([
        response.status,
        response.headers.get("retry-after"),
        (await response.json()).error.code,
      ], [
        503,
        "1",
        phase,
      ]);
      assert.equal((await app.request("/healthz")).status, 200);
    }
    const embeddings = await app.request("/v1/embeddings", { method: "POST", body: "x" });
    assert.deepEqual([embeddings.status, embeddings.headers.get("retry-after")], [503, "1"]);
  });
});

Deno.test("unknown routes are 404 with the list, other methods 405 with Allow", async () => {
  await withServer(async ({ app }) => {
    const unknown = await app.request("/v2/models");
    assert.equal(unknown.status, 404);
    assert.match((await unknown.json()).error.message, /POST \/v1\/embeddings/);
    const method = await app.request("/v1/embeddings");
    assert.deepEqual([method.status, method.headers.get("allow")], [405, "POST"]);
    const plain = await app.request("/v1/stream");
    assert.deepEqual([plain.status, (await plain.json()).error.code], [426, "upgrade_required"]);
    const foreign = await app.request("/v1/stream", {
      headers: { origin: "https://evil.example", host: "localhost" },
    });
    assert.equal(foreign.status, 403);
  });
});

Deno.test("405 names what the route takes, HEAD is GET without its body", async () => {
  await withServer(async ({ app }) => {
    const cases: [string, string, string][] = [
      ["POST", "/v1/models", "GET, HEAD"],
      ["DELETE", "/v1/models/tiny", "GET, HEAD"],
      ["PUT", "/assets/app.js", "GET, HEAD"],
      ["OPTIONS", "/v1/score", "POST"],
      ["HEAD", "/v1/embeddings", "POST"],
    ];
    for (const [method, path, allow] of cases) {
      const response = await app.request(path, { method });
      assert.deepEqual([response.status, response.headers.get("allow")], [405, allow], path);
      assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
      if (method === "HEAD") continue;
      const { code, message } = (await response.json()).error;
      assert.deepEqual([code, message], [
        "method_not_allowed",
        `${path} takes ${allow}, not ${method}`,
      ]);
    }
    for (const path of ["/v1/models", "/readyz", "/", "/openapi.json"]) {
      const [head, get] = [await app.request(path, { method: "HEAD" }), await app.request(path)];
      assert.deepEqual([head.status, await head.text()], [200, ""], path);
      assert.equal(head.headers.get("content-type"), get.headers.get("content-type"), path);
      await get.body?.cancel();
    }
    assert.equal((await app.request("/v1/models/none", { method: "HEAD" })).status, 404);
    await app.request("/nowhere");
    const text = await (await app.request("/metrics")).text();
    assert.match(text, /code="method_not_allowed"\} 5\n/);
    assert.match(text, /code="not_found"\} 1\n/);
    assert.match(text, /code="model_not_found"\} 1\n/);
  });
});

Deno.test("a page that the browser has is 304 without a body, to GET and to HEAD", async () => {
  await withServer(async ({ app }) => {
    const tag = (await app.request("/assets/app.js")).headers.get("etag") ?? "";
    assert.notEqual(tag, "");
    for (const method of ["GET", "HEAD"]) {
      const headers = { "if-none-match": tag };
      const response = await app.request("/assets/app.js", { method, headers });
      assert.deepEqual([response.status, await response.text(), response.headers.get("etag")], [
        304,
        "",
        tag,
      ]);
    }
  });
});

Deno.test("keys: needed when set, by Bearer; probes and contracts stay open", async () => {
  await withServer(async ({ app }) => {
    const get = (path: string, key?: string) =>
      app.request(path, key ? { headers: { authorization: `Bearer ${key}` } } : {});
    for (const key of [undefined, "wrong-key-entirely", KEY + "x"]) {
      const response = await get("/v1/models", key);
      assert.deepEqual([response.status, response.headers.get("www-authenticate")], [
        401,
        "Bearer",
      ]);
      assert.equal((await response.json()).error.code, "unauthorized");
    }
    assert.equal((await get("/v1/models", KEY)).status, 200);
    for (const path of ["/healthz", "/readyz", "/openapi.json"]) {
      assert.equal((await get(path)).status, 200);
    }
    assert.equal((await get("/metrics")).status, 401);
  }, { flags: ["--api-key", KEY] });
});

Deno.test("pages of other origins may read nothing and post nothing unless named", async () => {
  await withServer(async ({ app }) => {
    const ask = (origin: string, method = "POST") =>
      app.request("/v1/embeddings", {
        method,
        body: method === "POST" ? "x" : null,
        headers: { origin, host: "here.example" },
      });
    for (const origin of ["https://evil.example", "null", "http://here.example:8080"]) {
      const response = await ask(origin);
      assert.deepEqual([response.status, (await response.json()).error.code], [
        403,
        "origin_not_allowed",
      ], origin);
      assert.equal((await ask(origin, "OPTIONS")).headers.get("access-control-allow-origin"), null);
    }
    assert.equal((await ask("http://here.example")).status, 415);
    const named = await ask("https://app.example");
    assert.deepEqual([named.status, named.headers.get("access-control-allow-origin")], [
      415,
      "https://app.example",
    ]);
    const preflight = await ask("https://app.example", "OPTIONS");
    assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-origin")], [
      204,
      "https://app.example",
    ]);
  }, { flags: ["--allow-origin", "https://app.example", "--allow-host", "here.example"] });
});

Deno.test("GET /openapi.json names every route that answers", async () => {
  await withServer(async ({ app }) => {
    const { openapi, paths } = await (await app.request("/openapi.json")).json();
    assert.match(openapi, /^3\.1/);
    const routed = app.routes.filter(({ method, path }) =>
      method !== "ALL" && path !== "/openapi.json" && !path.includes("*")
    );
    for (const { method, path } of routed) {
      // pages and files
      if (/^\/(docs|client\.js|asyncapi\.json|assets\/.*|weights\/.*)?$/.test(path)) continue;
      assert.ok(
        paths[path.replaceAll(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()],
        `${method} ${path}`,
      );
    }
  });
});

Deno.test("GET /openapi.json declares every status, and answers fit their schemas", async () => {
  await withServer(async ({ app, ctx }) => {
    const { paths } = await (await app.request("/openapi.json")).json();
    const ask = async (
      route: string,
      { path = route, key = KEY, ...init }: RequestInit & { path?: string; key?: string } = {},
    ) => {
      const response = await app.request(path, {
        ...init,
        headers: { authorization: `Bearer ${key}`, ...init.headers },
      });
      const method = (init.method ?? "GET").toLowerCase();
      assert.ok(
        paths[route][method].responses[response.status],
        `${method} ${path} answers ${response.status}`,
      );
      return { status: response.status, body: await response.json().catch(() => undefined) };
    };
    for (const [route, methods] of Object.entries<Record<string, { responses: object }>>(paths)) {
      for (const [method, { responses }] of Object.entries(methods)) {
        const has = (status: string) => Object.hasOwn(responses, status);
        assert.equal(has("429"), has("401"), `${method} ${route}: what takes a key counts for it`);
      }
    }
    modelsSchema.parse((await ask("/v1/models")).body);
    modelSchema.parse((await ask("/v1/models/{id}", { path: "/v1/models/tiny" })).body);
    const file = wav(new Float32Array(2000));
    const json = { "content-type": "application/json" };
    const posts: [RequestInit & { path?: string; key?: string }, number][] = [
      [{ body: file }, 200],
      [{ body: "{", headers: json }, 400],
      [{ body: file, key: "someone-elses-key" }, 401],
      [{ body: file, headers: { origin: "https://evil.example" } }, 403],
      [{ body: file, path: "?model=none" }, 404],
      [{ body: file, headers: { "content-length": "99999999999" } }, 413],
      [{ body: "%PDF-1.7" }, 415],
      [{ body: file, path: "?colour=red" }, 422],
    ];
    for (const route of ["/v1/embeddings", "/v1/score"]) {
      for (const [{ path = "", ...init }, expected] of posts) {
        const query = route === "/v1/score" && path === "" ? "?window=1000" : path;
        const { status, body } = await ask(route, { method: "POST", path: route + query, ...init });
        if (expected !== 200) errorSchema.parse(body);
        assert.equal(status, expected, `${route}${query} ${JSON.stringify(body)}`);
      }
    }
    for (const pool of ["none", "mean"]) {
      const path = `/v1/embeddings?output=context,latent,prediction&pool=${pool}`;
      embeddingsSchema.parse(
        (await ask("/v1/embeddings", { method: "POST", path, body: file })).body,
      );
    }
    for (
      const [query, key, expected] of [
        ["", KEY, 201],
        ["", "someone-elses-key", 401],
        ["?seconds=0", KEY, 422],
      ] as const
    ) {
      const path = `/v1/tokens${query}`;
      assert.equal((await ask("/v1/tokens", { method: "POST", path, key })).status, expected);
    }
    const headers = { origin: "https://evil.example" };
    assert.equal((await ask("/v1/stream", { headers })).status, 403);
    assert.equal((await ask("/v1/stream")).status, 426);
    ctx.phase = "draining";
    const refusal = await ask("/v1/embeddings", { method: "POST", body: file });
    assert.equal(refusal.status, 503);
    assert.match(refusal.body.error.message, /the server is stopping/);
    assert.equal((await ask("/readyz")).status, 503);
  }, { flags: ["--api-key", KEY] });
});

Deno.test("GET /metrics counts requests by route and status", async () => {
  await withServer(async ({ app }) => {
    await app.request("/v1/models");
    const text = await (await app.request("/metrics")).text();
    assert.match(text, /cpc_requests_total\{route="\/v1\/models",status="200"\} 1/);
  });
});

Deno.test("GET /openapi.json makes the contract once", async () => {
  await withServer(async ({ app }) => {
    let made = 0;
    const make = app.getOpenAPI31Document;
    app.getOpenAPI31Document = (...args) => {
      made++;
      return make(...args);
    };
    const [first, second] = [
      await app.request("/openapi.json"),
      await app.request("/openapi.json"),
    ];
    assert.deepEqual(await first.json(), await second.json());
    assert.equal(made, 1);
  });
});
