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
