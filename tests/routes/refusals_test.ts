import assert from "node:assert/strict";
import { CpcError, type ErrorCode } from "../../errors.ts";
import { withServer } from "../support/server.ts";

Deno.test("an error of load or quota says when to come back, in whole seconds", async () => {
  await withServer(async ({ app }) => {
    const thrown = (code: ErrorCode, retryAfterMs?: number) =>
      new CpcError(code, "no", { retryAfterMs });
    const errors = [
      [thrown("overloaded"), 503, "1"],
      [thrown("rate_limited"), 429, "1"],
      [thrown("rate_limited", 1001), 429, "2"],
      [thrown("invalid_option"), 422, null],
      [thrown("internal"), 500, null],
    ] as const;
    for (const [i, [error]] of errors.entries()) {
      app.get(`/throws/${i}`, () => {
        throw error;
      });
    }
    for (const [i, [, status, retryAfter]] of errors.entries()) {
      const answer = await app.request(`/throws/${i}`);
      assert.deepEqual([answer.status, answer.headers.get("retry-after")], [status, retryAfter]);
      assert.equal((await answer.json()).error.message, "no");
    }
  });
});

Deno.test("faults are logged with their cause, refusals are not", async () => {
  await withServer(async ({ app, ctx }) => {
    const lines: unknown[] = [];
    Object.assign(ctx.log, {
      error: (message: string, { path, code, error, cause }: Record<string, unknown>) =>
        lines.push([message, path, code, error, cause]),
    });
    const cause = new Error("the cable is cut");
    app.get("/throws/:code", (c) => {
      throw new CpcError(c.req.param("code") as ErrorCode, "no", { cause, param: "cable" });
    });
    for (const code of ["model_failed", "overloaded", "session_limit", "invalid_option"]) {
      const answer = await app.request(`/throws/${code}`);
      assert.deepEqual((await answer.json()).error, { code, message: "no", param: "cable" });
      assert.equal(answer.headers.has("www-authenticate"), false);
    }
    assert.deepEqual(
      lines,
      ["model_failed", "overloaded"].map((code) => [
        "request failed",
        `/throws/${code}`,
        code,
        "no",
        "Error: the cable is cut",
      ]),
    );
    const gone = new Request("http://localhost/throws/internal", { signal: AbortSignal.abort() });
    const left = await app.request(gone);
    assert.deepEqual([left.status, await left.text(), lines.length], [499, "", 2]);
  });
});

Deno.test("every error of the Open Inference Protocol is in its words, and no other", async () => {
  await withServer(async ({ app }) => {
    const errorOf = async (path: string) => typeof (await (await app.request(path)).json()).error;
    for (const path of ["/v2/nothing/at/all", "/v2/models/none", "/v2/health/x"]) {
      assert.equal(await errorOf(path), "string", path);
    }
    for (const path of ["/v2x", "/v1/models/none", "/v1/v2/x", "/nowhere"]) {
      assert.equal(await errorOf(path), "object", path);
    }
  });
});
