import assert from "node:assert/strict";
import { isLoopback } from "../../config/origins.ts";

Deno.test("isLoopback() knows the addresses that only this machine reaches", () => {
  for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "::1"]) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of ["", "0.0.0.0", "::", "127.0.0.1.example", "10.0.0.1"]) {
    assert.ok(!isLoopback(host), host);
  }
});
