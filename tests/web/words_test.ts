import assert from "node:assert/strict";
import { explain } from "../../web/words.ts";

Deno.test("explain() has words for codes and names, and passes others on", () => {
  assert.match(explain({ code: "overloaded", message: "x", retryAfterMs: 2000 }), /busy.*2 s/);
  assert.match(explain(new DOMException("x", "NotFoundError")), /No microphone/);
  assert.match(explain(new Error("quite new")), /quite new/);
});
