import assert from "node:assert/strict";
import { addressUrl } from "../../config/address.ts";

Deno.test("addressUrl() puts IPv6 in brackets, which not every machine can listen on", () => {
  const urlOf = (address: string, tls: boolean) => addressUrl({ address, port: 8000 }, { tls });
  assert.equal(urlOf("127.0.0.1", false), "http://127.0.0.1:8000");
  assert.equal(urlOf("::1", false), "http://[::1]:8000");
  assert.equal(urlOf("fe80::1", true), "https://[fe80::1]:8000");
});
