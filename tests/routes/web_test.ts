import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { Hono } from "hono";
import { answerWith, mountWeb } from "../../routes/web.ts";

const app = new Hono();
mountWeb(app, { stallMs: 30_000 });

Deno.test("pages and assets have a policy without inline scripts or other origins", async () => {
  for (
    const path of [
      "/",
      "/docs",
      "/client.js",
      "/assets/app.js",
      "/assets/worklet.js",
      "/assets/swagger_ui.js",
    ]
  ) {
    const answer = await app.request(path);
    assert.equal(answer.status, 200, path);
    const policy = answer.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'; script-src 'self';/);
    assert.doesNotMatch(policy.replace(/style-src [^;]*/, ""), /unsafe|https?:|\*/);
    const body = await answer.text();
    if (answer.headers.get("content-type")?.startsWith("text/html")) {
      assert.doesNotMatch(body, /<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style/);
      for (const [, link] of body.matchAll(/(?:src|href)="([^"]*)"/g)) assert.match(link, /^[/#]/);
    }
  }
});

Deno.test("pages and assets say what they are and what they may use", async () => {
  const types = [
    ["/", "text/html; charset=utf-8"],
    ["/docs", "text/html; charset=utf-8"],
    ["/client.js", "text/javascript; charset=utf-8"],
    ["/assets/style.css", "text/css; charset=utf-8"],
    ["/assets/icon.svg", "image/svg+xml"],
    ["/assets/engine_wasm.js", "text/javascript; charset=utf-8"],
  ] as const;
  for (const [path, type] of types) {
    const { headers, body } = await app.request(path);
    await body?.cancel();
    assert.deepEqual([headers.get("content-type"), headers.get("cache-control")], [
      type,
      "no-cache",
    ]);
    assert.match(headers.get("etag") ?? "", /^"[\w-]{22}"$/);
    assert.match(headers.get("permissions-policy") ?? "", /^microphone=\(self\), camera=\(\)/);
  }
  const tags = await Promise.all(
    types.map(async ([path]) => (await app.request(path)).headers.get("etag")),
  );
  assert.equal(new Set(tags).size, types.length);
});

Deno.test("a page's engine may run WebAssembly, and nothing else that pages may not", async () => {
  const page = (await app.request("/")).headers.get("content-security-policy") ?? "";
  assert.doesNotMatch(page, /wasm/);
  for (const device of ["wasm", "webgpu"]) {
    const script = await app.request(`/assets/engine_${device}.js`);
    const policy = script.headers.get("content-security-policy") ?? "";
    assert.equal(policy.replace(" 'wasm-unsafe-eval'", ""), page);
    assert.notEqual(policy, page);
    const packed = await app.request(`/assets/engine_${device}.wasm.gz`);
    assert.equal(packed.status, 200);
    const wasm = gunzipSync(await packed.bytes());
    assert.deepEqual([...wasm.subarray(0, 4)], [0, 97, 115, 109]); // its magic
    const headers = { "if-none-match": packed.headers.get("etag") ?? "" };
    assert.equal((await app.request(`/assets/engine_${device}.wasm.gz`, { headers })).status, 304);
  }
});

Deno.test("what the pages load is there; what is unchanged is not sent again", async () => {
  const html = await Promise.all(
    ["/", "/docs"].map(async (path) => await (await app.request(path)).text()),
  );
  const asked = new Set(
    html.flatMap((body) =>
      [...body.matchAll(/(?:src|href)="(\/assets\/[^"]*)"/g)].map(([, path]) => path)
    ),
  );
  for (const path of asked) {
    const answer = await app.request(path);
    assert.equal(answer.status, 200, path);
    const body = await answer.text();
    for (const [, found] of body.matchAll(/"(\/assets\/[\w./-]+)"/g)) {
      asked.add(found);
    }
    const again = await app.request(path, {
      headers: { "if-none-match": answer.headers.get("etag") ?? "" },
    });
    assert.equal(again.status, 304);
  }
  for (const script of ["app", "docs", "worklet"]) assert.ok(asked.has(`/assets/${script}.js`));
  // the application says 404
  assert.equal((await new Hono().route("/", app).request("/assets/..%2Fdeno.json")).status, 500);
});

Deno.test("answerWith() loads its text once, and anew after it could not", async () => {
  let loads = 0;
  const text = () => ++loads === 1 ? Promise.reject(new Error("no")) : Promise.resolve("the text");
  const app = new Hono();
  app.get("/", answerWith(text, { type: "text/plain", policy: {} }));
  app.onError((_, c) => c.text("failed", 500));
  assert.equal((await app.request("/")).status, 500);
  for (let i = 0; i < 3; i++) assert.equal(await (await app.request("/")).text(), "the text");
  assert.equal(loads, 2);
});
