import assert from "node:assert/strict";
import { connect } from "node:net";
import { listen } from "../../routes/server.ts";
import { SMALL_CHUNKS, SmallChunks } from "../../routes/small_chunks.ts";
import { LISTEN } from "../support/http_server.ts";

/** A request in chunks that `push` sends; `came`: those that were taken. */
function chunked(headers: Record<string, string> = { "transfer-encoding": "chunked" }) {
  const state = { came: 0, cut: 0 };
  const request = {
    headers,
    push: (_chunk: Uint8Array | null) => ++state.came > 0,
    socket: { destroy: () => ++state.cut },
  };
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
  const next = { ...chunked().request, socket: request.socket };
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

Deno.test("a body in very many small chunks ends its connection", async () => {
  const server = await listen(() => new Promise(() => {}), LISTEN);
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {}); // it is cut while it sends
  socket.resume();
  const gone = new Promise((resolve) => socket.once("close", resolve));
  socket.write("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  socket.write("1\r\nx\r\n".repeat(100_000));
  await gone;
  await server.close(0);
});
