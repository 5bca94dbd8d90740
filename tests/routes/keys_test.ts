import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { CpcError } from "../../errors.ts";
import { Keys } from "../../routes/keys.ts";
import { withServer } from "../support/server.ts";

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const named = (name: string, quotas: { maxStreams?: number; requestsPerMinute?: number } = {}) => ({
  name,
  sha256: sha256(`secret of ${name}`),
  maxStreams: Infinity,
  requestsPerMinute: Infinity,
  ...quotas,
});
const code = (wanted: string) => (error: unknown) =>
  error instanceof CpcError && error.code === wanted;

Deno.test("Keys.ownerOf() knows each key by its hash, and refuses the rest", () => {
  const keys = new Keys([named("a"), named("b", { maxStreams: 3 })]);
  assert.equal(keys.ownerOf("secret of a"), "a");
  assert.equal(keys.ownerOf("secret of b"), "b");
  assert.equal(keys.maxStreamsOf("b"), 3);
  for (
    const wrong of [undefined, "", "secret of c", sha256("secret of a"), "cpct_", "cpct_e30.AAAA"]
  ) {
    assert.throws(() => keys.ownerOf(wrong), code("unauthorized"), String(wrong));
  }
  assert.equal(new Keys([]).ownerOf(undefined), "");
  const odd = "cpct_looks.like-a-token";
  assert.equal(new Keys([{ ...named("odd"), sha256: sha256(odd) }]).ownerOf(odd), "odd");
});

Deno.test("Keys.ownerOf() finds each of very many keys, none of them at the cost of all", () => {
  const names = Array.from({ length: 5_000 }, (_, i) => `owner${i}`);
  const keys = new Keys(names.map((name) => named(name)));
  for (const name of names) {
    assert.equal(keys.ownerOf(`secret of ${name}`), name); // too slow, were each compared with all
    keys.spend(name);
  }
  assert.throws(() => keys.ownerOf("secret of owner5000"), code("unauthorized"));
});

Deno.test("Keys.issueToken() stands for its key until it expires, on this server only", () => {
  let nowMs = 1_000_000;
  const keys = new Keys([named("a"), named("b")], { dateMs: () => nowMs });
  const { token, expiresAt } = keys.issueToken("secret of b", 60);
  assert.equal(expiresAt.getTime(), nowMs + 60_000);
  assert.equal(keys.ownerOf(token), "b");
  assert.throws(() => keys.ownerOf(token, { tokens: false }), code("unauthorized"));
  const [claims, signature] = token.slice(5).split(".");
  const forged = Buffer.from(Buffer.from(claims, "base64url").toString().replace('"b"', '"a"'))
    .toString("base64url");
  assert.throws(() => keys.ownerOf(`cpct_${forged}.${signature}`), code("unauthorized"));
  assert.throws(
    () => new Keys([named("b")], { dateMs: () => nowMs }).ownerOf(token),
    code("unauthorized"),
  );
  assert.throws(() => keys.issueToken(token, 60), code("unauthorized"));
  nowMs += 60_000;
  assert.throws(
    () => keys.ownerOf(token),
    (error) => code("unauthorized")(error) && /expired/.test((error as Error).message),
  );
});

Deno.test("Keys.spend() bounds the requests of a minute and says when to come back", async () => {
  let nowMs = 0;
  const keys = new Keys([named("a", { requestsPerMinute: 2 }), named("b")], {
    nowMs: () => nowMs,
    dateMs: () => -1e12, // a clock that was set back changes nothing
  });
  const perMinute = 2;
  assert.deepEqual(await keys.spend("a"), { perMinute, left: 1, retryAfterMs: 0 });
  assert.deepEqual(await keys.spend("a"), { perMinute, left: 0, retryAfterMs: 0 });
  assert.deepEqual(await keys.spend("a"), { perMinute, left: 0, retryAfterMs: 30_000 });
  assert.equal(await keys.spend("b"), undefined);
  nowMs = 30_000;
  assert.equal((await keys.spend("a"))?.retryAfterMs, 0);
  assert.equal((await keys.spend("a"))?.retryAfterMs, 30_000);
});

Deno.test("Keys.spend() goes by a clock that only runs forward", async () => {
  const { now } = Date;
  try {
    const keys = new Keys([named("a", { requestsPerMinute: 1 })]);
    await keys.spend("a");
    for (const jumpMs of [3600_000, -3600_000]) {
      Date.now = () => now() + jumpMs;
      const { retryAfterMs } = (await keys.spend("a"))!;
      assert.ok(retryAfterMs > 0 && retryAfterMs <= 60_000, `${retryAfterMs}`);
    }
  } finally {
    Date.now = now;
  }
});

Deno.test("POST /v1/tokens answers a token; keys over their rate get 429", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(
    file,
    JSON.stringify([{ name: "page", sha256: sha256("long-enough-key"), requests_per_minute: 3 }]),
  );
  await withServer(async ({ app }) => {
    const call = (path: string, key: string, method = "GET") =>
      app.request(path, { method, headers: { authorization: `Bearer ${key}` } });
    const made = await call("/v1/tokens?seconds=120", "long-enough-key", "POST");
    assert.deepEqual([made.status, made.headers.get("cache-control")], [201, "no-store"]);
    const { token, seconds } = await made.json();
    assert.equal(seconds, 120);
    const models = await call("/v1/models", token);
    assert.deepEqual(
      ["ratelimit-policy", "ratelimit"].map((name) => models.headers.get(name)),
      ['"requests";q=3;w=60', '"requests";r=1;t=40'],
    );
    assert.equal(models.status, 200);
    assert.equal((await call("/v1/tokens", token, "POST")).status, 401);
    assert.equal(
      (await call("/metrics", token)).status,
      401,
      "a page's token is no operator's key",
    );
    const limited = await call("/v1/models", token);
    assert.deepEqual(
      ["retry-after", "ratelimit"].map((name) => limited.headers.get(name)),
      ["20", '"requests";r=0;t=60'],
    );
    assert.equal(limited.status, 429);
    assert.equal((await limited.json()).error.code, "rate_limited");
  }, { flags: ["--api-keys-file", file] });
  await Deno.remove(file);
});

Deno.test("POST /v1/tokens refuses lifetimes out of bounds by name", async () => {
  await withServer(async ({ app }) => {
    for (const seconds of ["0", "3601", "soon", "1e2", "0x10", ""]) {
      const headers = { authorization: "Bearer long-enough-key" };
      const response = await app.request(`/v1/tokens?seconds=${seconds}`, {
        method: "POST",
        headers,
      });
      assert.deepEqual([response.status, (await response.json()).error.param], [422, "seconds"]);
    }
  }, { flags: ["--api-key", "long-enough-key"] });
});

Deno.test("Keys.maxStreamsOf() bounds nobody without keys; gone keys have no streams", () => {
  assert.equal(new Keys([]).maxStreamsOf(""), Infinity);
  const keys = new Keys([named("a", { maxStreams: 3 })]);
  assert.deepEqual(["a", "gone"].map((name) => keys.maxStreamsOf(name)), [3, 0]);
});

Deno.test("Keys.replace() says which keys have changed, and in nothing else", () => {
  const a = named("a", { maxStreams: 3, requestsPerMinute: 5 });
  const changedBy = (change: object) => {
    const keys = new Keys([a, named("b")]);
    const { added, removed, changed } = keys.replace([{ ...a, ...change }, named("b")]);
    assert.deepEqual([added, removed], [[], []]);
    return changed;
  };
  for (
    const change of [
      { sha256: sha256("another secret") },
      { maxStreams: 4 },
      { requestsPerMinute: 6 },
      { admin: true },
    ]
  ) assert.deepEqual(changedBy(change), ["a"], JSON.stringify(change));
  for (const same of [{}, { sha256: a.sha256.toUpperCase() }, { admin: false }]) {
    assert.deepEqual(changedBy(same), [], JSON.stringify(same));
  }
  const keys = new Keys([a]);
  assert.deepEqual(keys.replace([named("b")]), { added: ["b"], removed: ["a"], changed: [] });
  assert.deepEqual([keys.size, keys.admins, keys.isAdmin("b")], [1, [], false]);
  keys.replace([{ ...a, admin: true }]);
  assert.deepEqual([keys.admins, keys.isAdmin("a"), keys.isAdmin("b")], [["a"], true, false]);
});

Deno.test("POST /v1/tokens: a token lasts for a minute, or as long as is asked", async () => {
  await withServer(async ({ app }) => {
    const headers = { authorization: "Bearer long-enough-key" };
    for (const [query, expected] of [["", 60], ["?seconds=1", 1], ["?seconds=3600", 3600]]) {
      const answer = await app.request(`/v1/tokens${query}`, { method: "POST", headers });
      const { seconds, expires_at } = await answer.json();
      assert.deepEqual([answer.status, seconds], [201, expected]);
      const leftS = (Date.parse(expires_at) - Date.now()) / 1000;
      assert.ok(leftS <= seconds && leftS > seconds - 60, `${leftS}`);
    }
    const usage = await app.request("/v1/usage", { headers });
    assert.deepEqual([usage.status, usage.headers.get("cache-control")], [200, "no-store"]);
  }, { flags: ["--api-key", "long-enough-key"] });
  await withServer(async ({ app }) => {
    const answer = await app.request("/v1/tokens", { method: "POST" });
    assert.deepEqual([answer.status, (await answer.json()).error.code], [409, "no_keys"]);
  });
});
