/** What a server tells of a request: ids, quotas, usage, and the metrics of its work. */
import assert from "node:assert/strict";
import { withHttpServer } from "../support/http_server.ts";
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

Deno.test("a stream's error names its request, as the answer to its handshake does", async () => {
  await withStreams({}, async (server) => {
    const client = server.connect("model=none", { headers: { "x-request-id": "call-8" } });
    const { code, request } = await client.next("error");
    assert.deepEqual([code, request], ["model_not_found", "call-8"]);
    await client.closed();
  });
});

Deno.test("the answer to a handshake that is none names its request and fault", async () => {
  await withHttpServer(async (request) => {
    const head = "GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n" +
      "Upgrade: websocket\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
      "X-Request-Id: call-9\r\n\r\n";
    const answer = await request(head).heard(/}}$/);
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.match(answer, /^X-Request-Id: call-9\r$/m);
    assert.match(answer, /^Sec-WebSocket-Version: 13\r$/m);
    assert.match(answer, /"code":"invalid_message","message":".*Sec-WebSocket-Version/);
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
