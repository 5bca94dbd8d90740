import assert from "node:assert/strict";
import { requestHead, withHttpServer } from "../support/http_server.ts";
import { wav, withServer } from "../support/server.ts";

const KEY = "a-key-of-sixteen-and-more";

Deno.test("the log names a request's key and address, when it fails too", async () => {
  const lines: [string, Record<string, unknown>][] = [];
  const log = (message: string, fields: Record<string, unknown> = {}) =>
    void lines.push([message, fields]);
  await withHttpServer(async (request, { app, ctx }) => {
    Object.assign(ctx.log, { debug: log, error: log });
    app.post("/fails", () => {
      throw new RangeError("a fault of ours");
    });
    const head = requestHead("/fails", [
      `Authorization: Bearer ${KEY}`,
      "Content-Length: 0",
      "Connection: close",
    ]);
    assert.match(await request(head).heard(/internal/), /^HTTP\/1\.1 500 /);
    const who = ({ key, address }: Record<string, unknown>) => ({ key, address });
    for (const message of ["request", "request failed"]) {
      const [, fields] = lines.find(([said]) => said === message) ?? [];
      assert.deepEqual(fields && who(fields), { key: "key1", address: "127.0.0.1" }, message);
    }
    assert.ok(!JSON.stringify(lines).includes(KEY));
  }, { flags: ["--api-key", KEY] });
});

Deno.test("the log names the request whose answer broke off", async () => {
  const lines: [string, Record<string, unknown>][] = [];
  await withServer(async ({ app, ctx }) => {
    Object.assign(ctx.log, {
      error: (message: string, fields: Record<string, unknown>) => lines.push([message, fields]),
    });
    Object.assign(ctx.pool, {
      open() {
        throw new RangeError("a fault of ours");
      },
    });
    const answer = await app.request("/v1/embeddings", {
      method: "POST",
      headers: {
        accept: "application/x-ndjson", // computed while it is read
        authorization: `Bearer ${KEY}`,
        "x-request-id": "upload-2",
      },
      body: wav(new Int16Array(16_000)),
    });
    await assert.rejects(answer.text());
  }, { flags: ["--api-key", KEY] });
  const [[message, { request, path, key }]] = lines;
  assert.deepEqual([message, request, path, key], [
    "answer broke off",
    "upload-2",
    "/v1/embeddings",
    "key1",
  ]);
});
