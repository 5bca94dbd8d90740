import assert from "node:assert/strict";
import { requestHead, withHttpServer } from "../support/http_server.ts";

const KEY = "a-key-of-sixteen-and-more";

Deno.test("the log names a request's key and address, and so it does when the request fails", async () => {
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
