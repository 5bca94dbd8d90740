import assert from "node:assert/strict";
import { LIMITS } from "../../config/limits.ts";
import { DecodeBudget } from "../../recordings/decode_budget.ts";
import { withServer } from "../support/server.ts";

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
    assert.deepEqual([plain.status, plain.headers.get("upgrade")], [426, "websocket"]);
    assert.equal((await plain.json()).error.code, "upgrade_required");
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
    const models = (origin: string, method: string) =>
      app.request("/v1/models", { method, headers: { origin, host: "here.example" } });
    for (const origin of ["https://evil.example", "http://here.example"]) {
      assert.equal(
        (await models(origin, "GET")).status,
        200,
        "without the header it reads nothing",
      );
    }
    assert.equal((await models("https://evil.example", "DELETE")).status, 403);
    assert.equal((await models("http://here.example", "DELETE")).status, 405);
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

Deno.test("GET /metrics counts requests by route and status", async () => {
  await withServer(async ({ app }) => {
    await app.request("/v1/models");
    const answer = await app.request("/metrics");
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=/);
    const text = await answer.text();
    assert.match(text, /cpc_requests_total\{route="\/v1\/models",status="200"\} 1/);
  });
});

Deno.test("every request is counted and logged; open routes count for no key", async () => {
  await withServer(async ({ app, ctx }) => {
    const counted: Parameters<typeof ctx.metrics.requested>[0][] = [];
    const logged: unknown[] = [];
    Object.assign(ctx.metrics, { requested: (one: typeof counted[number]) => counted.push(one) });
    Object.assign(ctx.log, {
      debug(message: string, { method, path, status, ms }: Record<string, unknown>) {
        if (message === "request") logged.push([method, path, status, ms]);
      },
    });
    let nowMs = 5000;
    const { now } = performance;
    app.get("/takes/:long", (c) => {
      nowMs += 2345.6;
      return c.text("", 202);
    });
    performance.now = () => nowMs;
    try {
      const headers = { authorization: `Bearer ${KEY}` };
      for (const path of ["/takes/time", "/healthz", "/assets/icon.svg"]) {
        await (await app.request(path, { headers })).body?.cancel();
      }
      assert.equal((await app.request("/takes/time")).status, 401);
    } finally {
      performance.now = now;
    }
    const shown = counted.map(({ route, status, seconds, owner }) => [
      route,
      status,
      Number(seconds.toFixed(9)),
      owner,
    ]);
    assert.deepEqual(shown, [
      ["/takes/:long", 202, 2.3456, "key1"],
      ["/healthz", 200, 0, undefined],
      ["/assets/:name", 200, 0, undefined],
      [shown[3]?.[0], 401, 0, ""],
    ]);
    assert.deepEqual(logged, [
      ["GET", "/takes/time", 202, 2346],
      ["GET", "/healthz", 200, 0],
      ["GET", "/assets/icon.svg", 200, 0],
      ["GET", "/takes/time", 401, 0],
    ]);
  }, { flags: ["--api-key", KEY] });
});

Deno.test("secure headers are everywhere; with TLS, also the one that asks for it", async () => {
  const file = (name: string) => new URL(`../fixtures/tls/${name}.pem`, import.meta.url).pathname;
  const tls = ["--tls-cert", file("cert"), "--tls-key", file("key")];
  for (const flags of [[], tls]) {
    await withServer(async ({ app }) => {
      for (const path of ["/", "/healthz", "/nowhere"]) {
        const { headers, body } = await app.request(path);
        await body?.cancel();
        assert.equal(headers.get("x-content-type-options"), "nosniff");
        assert.equal(headers.has("strict-transport-security"), flags === tls, path);
      }
    }, { flags });
  }
});

Deno.test("a key's requests may decode twice what one may, over all servers", async () => {
  const { share } = DecodeBudget.prototype;
  const { requestAudioSeconds: seconds, requestSamples: samples } = LIMITS;
  for (const [processes, requests] of [[1, 2], [2, 1], [4, 1]] as const) {
    const budgets = new Set<DecodeBudget>();
    DecodeBudget.prototype.share = function (owner) {
      budgets.add(this);
      return share.call(this, owner);
    };
    try {
      await withServer(async ({ app }) => {
        await (await app.request("/v1/embeddings", { method: "POST", body: "x" })).body?.cancel();
      }, { flags: ["--processes", String(processes)] });
    } finally {
      DecodeBudget.prototype.share = share;
    }
    const [budget] = budgets;
    for (const most of [{ seconds, samples: 1 }, { seconds: 1, samples }]) {
      const shares = Array.from({ length: requests + 1 }, () => budget!.share("key"));
      for (const one of shares.slice(1)) one.take(most);
      const refused = (one: typeof most) => () => shares[0]!.take(one);
      assert.throws(refused({ seconds: 1, samples: 1 }), { code: "rate_limited" });
      for (const one of shares) one.giveBack();
      assert.throws(refused({ seconds: seconds + 1, samples: 1 }), { code: "too_large" });
      assert.throws(refused({ seconds: 1, samples: samples + 1 }), { code: "too_large" });
    }
  }
});
