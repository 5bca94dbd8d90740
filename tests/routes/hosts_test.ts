import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { hostCheck } from "../../routes/hosts.ts";
import { isHandshake } from "../../routes/stream.ts";
import { withServer } from "../support/server.ts";
import { withServer as withStreams } from "../support/stream_server.ts";

Deno.test("hostCheck() knows loopback names, the address asked and names given", () => {
  const known = hostCheck({
    host: "127.0.0.1",
    allowHosts: ["speech.example", "fd00::7"],
    apiKeys: [],
  });
  const cases: [host: string | undefined, localAddress: string | undefined, known: boolean][] = [
    [undefined, "10.0.0.7", true],
    ["localhost", undefined, true],
    ["localhost:8000", undefined, true],
    ["LOCALHOST.:8000", undefined, true],
    ["app.localhost", undefined, true],
    ["127.0.0.1:8000", undefined, true],
    ["127.8.9.10", undefined, true],
    ["[::1]:8000", undefined, true],
    ["10.0.0.7:8000", "10.0.0.7", true],
    ["10.0.0.7", "::ffff:10.0.0.7", true],
    ["10.0.0.8", "10.0.0.7", false],
    ["speech.example", undefined, true],
    ["Speech.Example:443", undefined, true],
    ["[fd00::7]:8000", undefined, true],
    ["evil.example", "127.0.0.1", false],
    ["localhost.evil.example", undefined, false],
    ["127.0.0.1.evil.example", undefined, false],
    ["evillocalhost", undefined, false],
    ["user@localhost", undefined, false],
    ["localhost/evil", undefined, false],
    ["localhost?evil", undefined, false],
    ["localhost#evil", undefined, false],
    ["", undefined, false],
  ];
  for (const [host, localAddress, expected] of cases) {
    assert.equal(known({ host, localAddress }), expected, `${host} on ${localAddress}`);
  }
});

Deno.test("hostCheck() knows the host of the URL that the server prints", () => {
  const cases: [host: string, asked: string, known: boolean][] = [
    ["0.0.0.0", "0.0.0.0:8000", true],
    ["::", "[::]:8000", true],
    ["Speech.Example", "speech.example:8000", true],
    ["0.0.0.0", "evil.example:8000", false],
    ["127.0.0.1", "0.0.0.0:8000", false],
  ];
  for (const [host, asked, expected] of cases) {
    const known = hostCheck({ host, allowHosts: [], apiKeys: [] });
    assert.equal(
      known({ host: asked, localAddress: "127.0.0.1" }),
      expected,
      `${asked} on ${host}`,
    );
  }
});

Deno.test("hostCheck() takes every name where there are keys", () => {
  const known = hostCheck({ host: "127.0.0.1", allowHosts: [], apiKeys: [{}] });
  assert.equal(known({ host: "any.example", localAddress: undefined }), true);
});

Deno.test("every route answers 421 to a Host that the server does not know", async () => {
  await withServer(async ({ app }) => {
    for (const path of ["/", "/healthz", "/v1/models", "/v1/stream", "/metrics"]) {
      const answer = await app.request(path, { headers: { host: "evil.example" } });
      assert.equal(answer.status, 421, path);
      const { error } = await answer.json();
      assert.equal(error.code, "unknown_host");
      assert.match(error.message, /evil\.example.*--allow-host/);
    }
    const own = await app.request("/healthz", { headers: { host: "localhost:8000" } });
    assert.equal(own.status, 200);
  });
});

Deno.test("/openapi.json says of every route that it answers 421", async () => {
  await withServer(async ({ app }) => {
    const { paths } = await (await app.request("/openapi.json")).json();
    const operations = Object.entries<Record<string, { responses: object }>>(paths)
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, one]) => ({
          route: `${method} ${path}`,
          statuses: Object.keys(one.responses),
        }))
      );
    assert.ok(operations.length > 20);
    const silent = operations.filter(({ statuses }) => !statuses.includes("421"));
    assert.deepEqual(silent.map(({ route }) => route), []);
  });
});

Deno.test("isHandshake() leaves handshakes with a wrong Host to HTTP's refusal", () => {
  const rules = {
    allowedOrigin: () => true,
    knownHost: hostCheck({ host: "127.0.0.1", allowHosts: [], apiKeys: [] }),
  };
  const isTaken = (...hosts: string[]) =>
    isHandshake({
      method: "GET",
      url: "/v1/stream",
      headers: { upgrade: "websocket", host: hosts[0] },
      headersDistinct: hosts.length > 0 ? { host: hosts } : {},
      socket: { localAddress: "127.0.0.1" },
    }, rules);
  assert.equal(isTaken("127.0.0.1:8000"), true);
  for (const hosts of [["evil.example"], ["localhost", "evil.example"], [""], []]) {
    assert.equal(isTaken(...hosts), false, String(hosts));
  }
});

Deno.test("isHandshake() takes a GET that asks for a WebSocket, from a known page", () => {
  const is = (change: object = {}) => {
    const { hosts = ["localhost"], ...request } = change as { hosts?: string[] };
    return isHandshake({
      method: "GET",
      url: "/v1/stream",
      headers: { upgrade: "websocket" },
      headersDistinct: { host: hosts },
      socket: { localAddress: "127.0.0.1" },
      ...request,
    }, {
      allowedOrigin: (origin, host) => origin === "http://friend.example" && host === "localhost",
      knownHost: ({ host, localAddress }) => host === "localhost" && localAddress === "127.0.0.1",
    });
  };
  const upgrade = "websocket";
  for (
    const taken of [
      {},
      { url: "/v1/stream?model=tiny&url=/?" },
      { headers: { upgrade: "WebSocket" } },
      { headers: { upgrade, origin: "http://friend.example" } },
    ]
  ) assert.equal(is(taken), true, JSON.stringify(taken));
  for (
    const left of [
      { method: "POST" },
      { url: undefined },
      { url: "/v1/streams" },
      { url: "/?/v1/stream" },
      { headers: {} },
      { headers: { upgrade: "h2c" } },
      { hosts: ["evil.example"] },
      { headers: { upgrade, origin: "http://evil.example" } },
      { socket: { localAddress: "10.0.0.1" } },
    ]
  ) assert.equal(is(left), false, JSON.stringify(left));
});

Deno.test("listen() refuses requests and handshakes without a Host", async () => {
  await withStreams({}, async ({ port }) => {
    const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (const more of ["Connection: close\r\n", upgrade]) {
      for (const hosts of ["", "Host:\r\n"]) {
        const socket = connect(port, "127.0.0.1");
        socket.write(`GET /v1/stream HTTP/1.1\r\n${hosts}${more}\r\n`);
        const [head] = await once(socket, "data");
        socket.destroy();
        assert.match(String(head), /^HTTP\/1\.1 400 /, JSON.stringify(hosts + more));
      }
    }
  });
});
