import assert from "node:assert/strict";
import { handshakeKey, originCheck } from "../../routes/auth.ts";

Deno.test("handshakeKey() takes the header first, then a subprotocol, plain or base64url", () => {
  const of = (headers: Record<string, string>) => handshakeKey(new Headers(headers));
  const protocol = (...names: string[]) =>
    of({ "sec-websocket-protocol": ["cpc.v1", ...names].join(", ") });
  assert.equal(of({}), undefined);
  assert.equal(protocol(), undefined);
  assert.equal(protocol("bearer.abc.d"), "abc.d");
  assert.equal(
    of({ authorization: "Bearer a/b=", "sec-websocket-protocol": "cpc.v1, bearer.c" }),
    "a/b=",
  );
  for (const secret of ["a/b+c==", "ключ", "plain-key", "x"]) {
    assert.equal(protocol(`bearer64.${Buffer.from(secret).toString("base64url")}`), secret);
  }
});

Deno.test("originCheck() lets the server's own pages in and those that were named", () => {
  const allowed = originCheck(["https://app.example"]);
  assert.equal(allowed("https://app.example", "127.0.0.1:8000"), true);
  assert.equal(allowed("http://127.0.0.1:8000", "127.0.0.1:8000"), true);
  for (
    const origin of [
      "https://evil.example",
      "http://127.0.0.1:9000",
      "https://app.example.evil",
      "null",
    ]
  ) {
    assert.equal(allowed(origin, "127.0.0.1:8000"), false, origin);
    assert.equal(allowed(origin, undefined), false, `${origin}, where no host is named`);
  }
});
