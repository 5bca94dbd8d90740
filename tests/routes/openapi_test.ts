import assert from "node:assert/strict";
import { embeddingsSchema, errorSchema, modelSchema, modelsSchema } from "../../routes/schemas.ts";
import { wav, withServer } from "../support/server.ts";

const KEY = "correct-horse-battery";

/** Each route and the statuses that it declares. */
const DECLARED = [
  "GET /healthz 200 421",
  "GET /metrics 200 401 421 429",
  "GET /readyz 200 421 503",
  "GET /v1/admin/config 200 401 403 421 429",
  "POST /v1/admin/drain 202 401 403 421 422 429",
  "POST /v1/admin/models 200 401 403 404 409 421 422 429 503",
  "DELETE /v1/admin/models/{name} 200 401 403 404 409 421 422 429 503",
  "POST /v1/admin/reload 200 401 403 421 422 429 503",
  "GET /v1/admin/sessions 200 401 403 421 422 429 503",
  "DELETE /v1/admin/sessions/{id} 200 401 403 404 421 429 503",
  ...["audio/embeddings", "compare", "embeddings"].map((path) =>
    `POST /v1/${path} 200 400 401 403 404 408 413 415 421 422 429 503`
  ),
  "GET /v1/models 200 401 421 429",
  "GET /v1/models/{id} 200 401 404 421 429",
  "POST /v1/score 200 400 401 403 404 408 413 415 421 422 429 503",
  "GET /v1/stream 101 403 421 426",
  "POST /v1/tokens 201 401 403 409 421 422 429",
  "GET /v1/usage 200 401 421 429",
  "GET /v2 200 401 421 429",
  "GET /v2/health/live 200 421",
  "GET /v2/health/ready 200 421 503",
  ...["", "/versions/{version}"].flatMap((version) => [
    `GET /v2/models/{model}${version} 200 401 404 421 429`,
    `GET /v2/models/{model}${version}/config 200 401 404 421 429`,
    `POST /v2/models/{model}${version}/infer 200 400 401 403 404 408 413 421 422 429 503`,
    `GET /v2/models/{model}${version}/ready 200 401 404 421 429 503`,
  ]),
];

Deno.test("GET /openapi.json declares the statuses of each route", async () => {
  await withServer(async ({ app }) => {
    const { paths, security, components } = await (await app.request("/openapi.json")).json();
    const declared = Object.entries<Record<string, { responses: object }>>(paths).flatMap((
      [path, methods],
    ) =>
      Object.entries(methods).map(([method, { responses }]) =>
        `${method.toUpperCase()} ${path} ${Object.keys(responses).join(" ")}`
      )
    );
    assert.deepEqual(declared.toSorted(), DECLARED.toSorted());
    assert.deepEqual(security, [{}, { key: [] }]);
    assert.deepEqual(components.securitySchemes, { key: { type: "http", scheme: "bearer" } });
  });
});

Deno.test("GET /openapi.json states the bounds of what requests may say", async () => {
  await withServer(async ({ app }) => {
    const { paths, components: { schemas } } = await (await app.request("/openapi.json")).json();
    const parameter = (method: string, path: string, wanted: string) => {
      const { schema } = paths[path][method].parameters
        .find(({ name }: { name: string }) => name === wanted);
      const { type, minimum, maximum, default: fallback } = schema;
      return [type, minimum, maximum, fallback];
    };
    const integer = "integer";
    assert.deepEqual(parameter("get", "/v1/admin/sessions", "limit"), [integer, 1, 1000, 100]);
    assert.deepEqual(parameter("post", "/v1/admin/drain", "seconds"), [
      integer,
      1,
      3600,
      undefined,
    ]);
    assert.deepEqual(parameter("post", "/v1/tokens", "seconds"), [integer, 1, 3600, undefined]);
    const { inputs } = schemas.InferRequest.properties;
    assert.deepEqual([inputs.minItems, inputs.maxItems], [1, 1]);
    const form = paths["/v1/embeddings"].post.requestBody.content["multipart/form-data"].schema;
    assert.deepEqual([form.properties.file.minItems, form.required], [1, ["file"]]);
    assert.ok(
      schemas.EmbeddingInput.properties.input.anyOf.some((way: object) =>
        "minItems" in way && way.minItems === 1
      ),
    );
    assert.deepEqual(Object.keys(schemas.AdminEnded.properties), ["id", "state"]);
  });
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
