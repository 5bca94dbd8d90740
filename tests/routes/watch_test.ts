/** What a server tells of a request: ids, quotas, usage, and the metrics of its work. */
import assert from "node:assert/strict";
import { wav, withServer } from "../support/server.ts";
import { withServer as withStreams } from "../support/stream_server.ts";

Deno.test("every answer names its request: by the id that came, or by a new one", async () => {
  await withServer(async ({ app }) => {
    const idOf = async (path: string, id?: string) => {
      const headers = id === undefined ? undefined : { "x-request-id": id };
      const answer = await app.request(path, { headers });
      await answer.body?.cancel();
      return answer.headers.get("x-request-id");
    };
    assert.equal(await idOf("/healthz", "mine-1"), "mine-1");
    assert.equal(await idOf("/nowhere", "mine-2"), "mine-2", "errors too");
    const made = await idOf("/healthz");
    assert.match(made!, /^[0-9a-f-]{36}$/);
    assert.notEqual(await idOf("/healthz"), made);
    assert.match((await idOf("/healthz", "no\tid"))!, /^[0-9a-f-]{36}$/);
    assert.match((await idOf("/healthz", "x".repeat(200)))!, /^[0-9a-f-]{36}$/);
  });
});

Deno.test("the answer to a handshake names its request", async () => {
  await withStreams({}, async (server) => {
    const heard = Promise.withResolvers<string | undefined>();
    const client = server.connect("", { headers: { "x-request-id": "call-7" } });
    client.socket.on("upgrade", ({ headers }) => heard.resolve(String(headers["x-request-id"])));
    await client.next("ready");
    assert.equal(await heard.promise, "call-7");
    await client.terminate();
  });
});

Deno.test("GET /v1/usage and the metrics tell what a key has used", async () => {
  const key = "correct-horse-battery";
  await withServer(async ({ app, ctx }) => {
    const headers = { authorization: `Bearer ${key}` };
    const body = wav(new Int16Array(16_000));
    const answer = await app.request("/v1/embeddings", { method: "POST", headers, body });
    assert.equal(answer.status, 200);
    await answer.body?.cancel();
    const usage = await app.request("/v1/usage", { headers });
    const { object, data: [today, ...others] } = await usage.json();
    assert.deepEqual([object, others], ["list", []]);
    assert.match(today.day, /^\d{4}-\d\d-\d\d$/);
    assert.deepEqual([today.audio_seconds, today.frames, today.requests], [1, 100, 1]);
    assert.equal((await app.request("/v1/usage")).status, 401);
    const text = await ctx.metrics.text();
    assert.match(text, /^cpc_decode_seconds_count 1$/m);
    assert.match(text, /^cpc_request_seconds_count\{route="\/v1\/embeddings"\} 1$/m);
  }, { flags: ["--api-key", key] });
});
