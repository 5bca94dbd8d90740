import assert from "node:assert/strict";
import WebSocket from "ws";
import { connect, type StreamError } from "../../client/mod.ts";
import { Connection, type Heard, type SocketLike } from "../../client/socket.ts";
import { withServer } from "../support/stream_server.ts";

type Listener = (event: { data: unknown; code: number; reason: string }) => void;

/** A WebSocket whose server is the test. */
class FakeSocket implements SocketLike {
  binaryType = "blob";
  readonly bufferedAmount = 0;
  readyState = 1;
  readonly #listeners: { type: string; listener: Listener }[] = [];

  addEventListener(type: "message" | "close" | "error", listener: Listener): void {
    this.#listeners.push({ type, listener });
  }

  send(): void {}

  close(): void {
    this.readyState = 3;
  }

  /** The server says something. */
  says(data: unknown): void {
    this.#tell("message", { data, code: 0, reason: "" });
  }

  /** The connection ends. */
  ends(code: number, reason = ""): void {
    this.#tell("close", { data: undefined, code, reason });
  }

  #tell(type: string, event: Parameters<Listener>[0]): void {
    for (const each of this.#listeners) if (each.type === type) each.listener(event);
  }
}

/** A connection over a fake socket, and what it tells. */
function dial({ timeoutMs = 10_000 } = {}) {
  const sockets: FakeSocket[] = [];
  class Socket extends FakeSocket {
    constructor() {
      super();
      sockets.push(this);
    }
  }
  const heard: Heard[] = [];
  const lost: StreamError[] = [];
  const connection = new Connection({
    url: new URL("ws://host.example/v1/stream"),
    protocols: ["cpc.v1"],
    WebSocket: Socket,
    timeoutMs,
    hears: (message) => heard.push(message),
    isLost: (error) => lost.push(error),
  });
  const [socket] = sockets;
  assert.ok(socket);
  return { socket, heard, lost, connection };
}

const READY = JSON.stringify({ type: "ready" });

Deno.test("Connection: the server's last words are why it ends, with the close code", async () => {
  const { socket, lost, connection, heard } = dial();
  socket.says(READY);
  await connection.opened;
  const said = { type: "error", code: "draining", message: "bye", fatal: true, retryable: true };
  socket.says(JSON.stringify({ ...said, retry_after_ms: 5, request: "call-1" }));
  socket.ends(1001);
  socket.ends(1001);
  assert.deepEqual(
    lost.map(({ code, closeCode, retryAfterMs, request }) => [
      code,
      closeCode,
      retryAfterMs,
      request,
    ]),
    [["draining", 1001, 5, "call-1"]],
  );
  assert.deepEqual(heard.map(({ type }) => type), ["ready"]);
});

Deno.test("Connection: a message that is not understood ends it for good", async () => {
  for (const data of ["{", new Uint8Array(20).buffer, 7]) {
    const { socket, lost, connection, heard } = dial();
    socket.says(READY);
    await connection.opened;
    socket.says(data);
    socket.says(READY);
    assert.deepEqual(lost.map(({ code, retryable }) => [code, retryable]), [[
      "connection_lost",
      false,
    ]]);
    assert.equal(heard.length, 1);
    assert.equal(socket.readyState, 3);
  }
});

Deno.test("Connection.opened says why there was no ready", async () => {
  const silent = dial({ timeoutMs: 1 });
  await assert.rejects(silent.connection.opened, { code: "timeout", closeCode: 1006 });
  const unreachable = dial();
  unreachable.socket.ends(0);
  await assert.rejects(unreachable.connection.opened, /host\.example cannot be reached/);
  const refused = dial();
  refused.socket.ends(4401, "no key");
  await assert.rejects(refused.connection.opened, { closeCode: 4401, message: /4401 no key/ });
});

Deno.test("connect() takes the WebSocket of the package ws", async () => {
  await withServer({}, async ({ url }) => {
    const stream = await connect(url, { WebSocket });
    void stream.send(new Float32Array(1600));
    assert.equal((await stream.finish()).samples, 1600);
    let rows = 0;
    for await (const { count } of stream) rows += count;
    assert.equal(rows, 10);
  });
});
