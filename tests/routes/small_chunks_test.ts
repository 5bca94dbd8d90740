import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { connect as connectTls } from "node:tls";
import { listen } from "../../routes/server.ts";
import { AROUND, SMALL_CHUNKS, SmallChunks } from "../../routes/small_chunks.ts";
import { LISTEN, withHttpServer } from "../support/http_server.ts";

/** A request in chunks that `push` sends; `came`: those that were taken. */
function chunked(headers: Record<string, string> = { "transfer-encoding": "chunked" }) {
  const state = { came: 0, cut: 0 };
  const request = Object.assign(new EventEmitter(), {
    headers,
    push: (_chunk: Uint8Array | null) => ++state.came > 0,
    socket: { bytesRead: 0, destroy: () => ++state.cut },
  });
  return { request, state };
}

Deno.test("small chunks are taken up to a bound, and so many more each second", () => {
  let nowMs = 0;
  const chunks = new SmallChunks(() => nowMs);
  const { request, state } = chunked();
  chunks.watch(request);
  const send = (count: number, bytes = 63) => {
    for (let i = 0; i < count; i++) request.push(new Uint8Array(bytes));
  };
  send(SMALL_CHUNKS.most);
  send(10_000, 64);
  request.push(null);
  nowMs += 1000;
  send(SMALL_CHUNKS.perS);
  assert.deepEqual(state, { came: SMALL_CHUNKS.most + 10_001 + SMALL_CHUNKS.perS, cut: 0 });
  send(1);
  assert.deepEqual(state, { came: SMALL_CHUNKS.most + 10_001 + SMALL_CHUNKS.perS, cut: 1 });
});

Deno.test("small chunks count by connection, and a body of stated length has none", () => {
  const chunks = new SmallChunks(() => 0);
  const { request, state } = chunked();
  const next = Object.assign(chunked().request, { socket: request.socket });
  const { request: other, state: otherState } = chunked();
  const { request: whole, state: wholeState } = chunked({ "content-length": "9000" });
  for (const each of [request, next, other, whole]) chunks.watch(each);
  for (let i = 0; i < SMALL_CHUNKS.most; i++) request.push(new Uint8Array(1));
  next.push(new Uint8Array(1));
  assert.equal(state.cut, 1);
  other.push(new Uint8Array(1));
  assert.equal(otherState.cut, 0);
  for (let i = 0; i < 9000; i++) whole.push(new Uint8Array(1));
  assert.deepEqual(wholeState, { came: 9000, cut: 0 });
});

Deno.test("a body has a bound of bytes around its chunks, whether they come or not", () => {
  const chunks = new SmallChunks(() => 0);
  const { request, state } = chunked();
  request.socket.bytesRead = 1000; // its head
  chunks.watch(request);
  const chunk = new Uint8Array(5000);
  for (let i = 0; i < 100; i++) {
    request.socket.bytesRead += chunk.length + AROUND.perChunk;
    request.push(chunk);
  }
  request.socket.bytesRead += AROUND.most;
  chunks.tick();
  assert.deepEqual(state, { came: 100, cut: 0 });
  request.socket.bytesRead++;
  chunks.tick();
  assert.equal(state.cut, 1);
  request.push(new Uint8Array(1));
  assert.deepEqual(state, { came: 101, cut: 1 }, "one more chunk may have as much around it");
  request.socket.bytesRead += 1000;
  request.push(new Uint8Array(1));
  assert.deepEqual(state, { came: 101, cut: 2 });
  request.push(null);
  chunks.tick();
  assert.equal(state.cut, 3, "only the end is late");
});

Deno.test("a body over TLS in chunks is taken, though much of it is read ahead", async () => {
  const file = (name: string) =>
    Deno.readTextFile(new URL(`../fixtures/tls/${name}`, import.meta.url));
  const [cert, key] = await Promise.all([file("cert.pem"), file("key.pem")]);
  const server = await listen(async (request) => {
    let bytes = 0;
    for await (const chunk of request.body!) bytes += chunk.length;
    return new Response(`${bytes} bytes`, { headers: { connection: "close" } });
  }, { ...LISTEN, tls: { cert, key } });
  const socket = connectTls({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
  const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
  socket.write("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  socket.write(`${chunk.repeat(160)}0\r\n\r\n`);
  let came = "";
  for await (const bytes of socket) came += bytes;
  assert.match(came, /10485760 bytes/);
  await server.close(0);
});

Deno.test("a body that has ended, or whose client went, has no bound any more", () => {
  const chunks = new SmallChunks(() => 0);
  const [whole, gone] = [chunked(), chunked()];
  for (const { request } of [whole, gone]) chunks.watch(request);
  whole.request.push(null);
  gone.request.emit("close");
  for (const { request } of [whole, gone]) request.socket.bytesRead = 1e9;
  chunks.tick();
  assert.deepEqual([whole.state.cut, gone.state.cut], [0, 0]);
});

for (
  const [what, begin, bytes] of [
    ["very many small chunks", "", "1\r\nx\r\n".repeat(10_000)],
    ["long extensions", "", `1;${"a".repeat(100_000)}\r\nx\r\n`],
    ["an endless extension", "1;", "a".repeat(100_000)],
    ["an endless size", "", "0".repeat(100_000)],
  ] as const
) {
  Deno.test(`a body with ${what} ends its connection`, () =>
    withHttpServer(async (request) => {
      const { heard } = request(
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        begin,
        bytes.repeat(10),
      );
      assert.equal(await heard(/never/), "");
    }));
}
