import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { MOST_PIPELINED } from "../../routes/open_sockets.ts";
import { listen } from "../../routes/server.ts";
import { LISTEN } from "../support/http_server.ts";

const PLACES = 8;
const OPTIONS = { ...LISTEN, sockets: { open: PLACES, closing: 48 } };

/** Opens a connection, has a request answered on it and keeps it. */
async function holder(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  await once(socket, "data");
  return socket;
}

Deno.test("listen() lets a client in beside connections that are kept", async () => {
  const server = await listen(() => new Response("here"), OPTIONS);
  const held: Socket[] = [];
  try {
    for (let i = 0; i < PLACES; i++) held.push(await holder(server.port));
    const answer = await fetch(server.url);
    assert.equal(await answer.text(), "here");
    assert.equal(server.sockets, PLACES);
  } finally {
    const gone = held.filter((socket) => !socket.closed).map((socket) => once(socket, "close"));
    for (const socket of held) socket.destroy();
    await Promise.all([server.close(0), ...gone]);
  }
});

Deno.test("listen() ends a connection that sends requests far ahead of their answers", async () => {
  let asked = 0;
  const gate = Promise.withResolvers<void>();
  const server = await listen(async () => {
    asked++;
    await gate.promise;
    return new Response("here");
  }, OPTIONS);
  try {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    const ended = new Promise((resolve) => socket.once("close", resolve));
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(10_000));
    await ended;
    assert.ok(asked <= MOST_PIPELINED, `${asked} were taken up`);
    gate.resolve();
    assert.equal(await (await fetch(server.url)).text(), "here");
  } finally {
    await server.close(100);
  }
});

Deno.test("listen() takes up the requests of a connection one after the other", async () => {
  const begun: string[] = [];
  const gates = new Map(["/a", "/b", "/c"].map((path) => [path, Promise.withResolvers<void>()]));
  const server = await listen(async ({ url }) => {
    const { pathname } = new URL(url);
    begun.push(pathname);
    await gates.get(pathname)?.promise;
    return new Response(`at ${pathname}`);
  }, OPTIONS);
  const socket = connect(server.port, "127.0.0.1");
  try {
    let came = "";
    socket.on("data", (bytes) => came += bytes);
    const head = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    socket.write([...gates.keys()].map(head).join(""));
    const ours = () => begun.filter((path) => gates.has(path));
    while (ours().length === 0) await (await fetch(`${server.url}/other`)).text();
    assert.deepEqual(ours(), ["/a"], "what came with it waits");
    for (const [path, { resolve }] of gates) {
      resolve();
      while (!came.includes(`at ${path}`)) await once(socket, "data");
    }
    assert.deepEqual(ours(), ["/a", "/b", "/c"]);
    socket.write(head("/a")); // when nothing is under way
    while (!came.endsWith("at /a")) await once(socket, "data");
  } finally {
    socket.destroy();
    await server.close(0);
  }
});
