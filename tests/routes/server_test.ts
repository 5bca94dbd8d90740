import assert from "node:assert/strict";
import { once } from "node:events";
import { upgradeWebSocket } from "@hono/node-server";
import { Hono } from "hono";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { connect, createServer, type Socket } from "node:net";
import { setImmediate } from "node:timers";
import { UsageError } from "../../errors.ts";
import { Listener } from "../../routes/listener.ts";
import { OpenSockets } from "../../routes/open_sockets.ts";
import { listen, type ListenOptions } from "../../routes/server.ts";
import { LISTEN } from "../support/http_server.ts";

Deno.test("listen().close() waits for requests, and cuts them after the grace", async () => {
  for (const isInTime of [true, false]) {
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const server = await listen(async () => {
      asked.resolve();
      await answer.promise;
      return new Response("here", { headers: { connection: "close" } });
    }, LISTEN);
    const socket = connect(server.port, LISTEN.host);
    let came = "";
    socket.on("data", (bytes) => came += bytes);
    socket.on("error", () => {});
    const gone = once(socket, "close");
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await asked.promise;
    let isClosed = false;
    const closed = server.close(isInTime ? 600_000 : 0).then(() => isClosed = true);
    if (isInTime) {
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(isClosed, false);
      answer.resolve();
    }
    await Promise.all([closed, gone]);
    assert.equal(came.endsWith("here"), isInTime);
    answer.resolve();
  }
});

const here = () => new Response("here");

Deno.test("a request with an expectation that nobody knows is answered as any other", async () => {
  const server = await listen(here, LISTEN);
  const socket = connect(server.port, LISTEN.host);
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\nConnection: close\r\n\r\n");
  let came = "";
  for await (const bytes of socket) came += bytes;
  assert.match(came, /^HTTP\/1\.1 200 [^]*here$/);
  await server.close(0);
});

/** Whether somebody listens there. */
async function listens(port: number): Promise<boolean> {
  const socket = connect(port, LISTEN.host);
  try {
    await once(socket, "connect"); // throws the socket's error
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Asks until somebody listens there, or nobody does any more. */
async function until(port: number, isListening: boolean): Promise<void> {
  for (let tries = 0; await listens(port) !== isListening; tries++) {
    assert.ok(tries < 2000, `${port}: it listens: ${!isListening}`);
  }
}

/** Opens a connection that says nothing; whoever opens it closes it. */
async function silent(port: number): Promise<Socket> {
  const socket = connect(port, LISTEN.host);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/**
 * Runs a test with a server that has stopped accepting, since the sockets that it has cut are not
 * closed yet.
 *
 * @param use `settle`: they are closed now; `deaf`: what the server says of its listener
 */
async function whilePaused(
  use: (paused: {
    server: Awaited<ReturnType<typeof listen>>;
    settle: () => void;
    deaf: { error?: unknown; giveUp: boolean }[];
    heard: Promise<void>;
  }) => Promise<void>,
  options: Partial<ListenOptions> = {},
): Promise<void> {
  const { settled } = OpenSockets.prototype;
  const [paused, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  OpenSockets.prototype.settled = function () {
    paused.resolve();
    return closed.promise;
  };
  const deaf: { error?: unknown; giveUp: boolean }[] = [];
  const heard = Promise.withResolvers<void>();
  const server = await listen(here, {
    ...LISTEN,
    sockets: { open: 1, closing: 1 },
    onDeaf(failed) {
      deaf.push(failed);
      heard.resolve();
    },
    ...options,
  });
  const sockets: Socket[] = [];
  try {
    sockets.push(await silent(server.port));
    // refused where the server's own probe was the one too many
    const second = await silent(server.port).catch(() => undefined);
    if (second) sockets.push(second);
    await paused.promise;
    await until(server.port, false);
    await use({ server, settle: closed.resolve, deaf, heard: heard.promise });
  } finally {
    OpenSockets.prototype.settled = settled;
    const gone = sockets.filter(({ closed }) => !closed).map((socket) => once(socket, "close"));
    for (const socket of sockets) socket.destroy();
    await Promise.all([server.close(0), ...gone]);
  }
}

Deno.test("listen() accepts again once the sockets that it has cut are closed", async () => {
  const probeTimes = { everyMs: 0, urgentMs: 1, withinMs: 1, giveUpMs: 1e9 };
  await whilePaused(async ({ server, settle, deaf }) => {
    for (let look = 0; look < 5; look++) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(await listens(server.port), false);
    settle();
    await until(server.port, true);
    assert.deepEqual(deaf, [], "a server that pauses is not deaf, and needs no probe to go on");
  }, { probeTimes });
});

Deno.test("listen() takes streams after it had to listen again without a connection", async () => {
  const app = new Hono().get("/v1/stream", upgradeWebSocket(() => ({})));
  const deaf = Promise.withResolvers<void>();
  const server = await listen(app.fetch, {
    ...LISTEN,
    probeTimes: { everyMs: 0, urgentMs: 1, withinMs: 1000, giveUpMs: 1e9 },
    onDeaf: ({ error }) => error ? deaf.reject(error) : deaf.resolve(),
  });
  const { reaches } = Listener.prototype;
  Listener.prototype.reaches = () => Promise.resolve(false);
  await deaf.promise.finally(() => Listener.prototype.reaches = reaches);
  const stream = new WebSocket(`ws://127.0.0.1:${server.port}/v1/stream`);
  await once(stream, "open"); // throws what the handshake was refused with
  stream.terminate();
  await once(stream, "close");
  await server.close(0);
});

Deno.test("listen().close() while it does not accept: it accepts no more", async () => {
  await whilePaused(async ({ server, settle }) => {
    const closed = server.close(0);
    settle();
    await closed;
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await listens(server.port), false);
  });
});

Deno.test("listen() says so when it cannot accept again, and does not give up", async () => {
  await whilePaused(async ({ server, settle, deaf, heard }) => {
    const other = createServer();
    other.listen(server.port, LISTEN.host);
    await once(other, "listening");
    settle();
    await heard;
    assert.match(String(deaf[0]?.error), /EADDRINUSE/);
    assert.equal(deaf[0]?.giveUp, false);
    const closed = once(other, "close");
    other.close();
    await closed;
  });
});

Deno.test("listen() looks sooner whether it accepts when it is short of sockets", async () => {
  const probeTimes = { everyMs: 1e9, urgentMs: 1, withinMs: 1000, giveUpMs: 1e9 };
  const server = await listen(here, { ...LISTEN, sockets: { open: 1, closing: 48 }, probeTimes });
  const socket = await silent(server.port);
  await once(socket, "close");
  await server.close(0);
});

Deno.test("listen() refuses a port that another server has, unless servers share it", async () => {
  const alone = await listen(here, LISTEN);
  for (const processes of [1, 2]) {
    await assert.rejects(listen(here, { ...LISTEN, port: alone.port, processes }), UsageError);
  }
  await alone.close(0);
  const first = await listen(here, { ...LISTEN, processes: 2 });
  const second = await listen(here, { ...LISTEN, processes: 2, port: first.port });
  assert.equal(second.port, first.port);
  await Promise.all([first.close(0), second.close(0)]);
});

Deno.test("listen() tells its address as a URL", async () => {
  const server = await listen(here, LISTEN);
  assert.equal(server.url, `http://127.0.0.1:${server.port}`);
  assert.equal(await (await fetch(server.url)).text(), "here");
  await server.close(0);
});

Deno.test("listen().close() does not wait for a connection that is kept", async () => {
  const server = await listen(here, LISTEN);
  const socket = await silent(server.port);
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(socket, "data");
  assert.equal(server.sockets, 1);
  await Promise.all([once(socket, "close"), server.close(600_000)]);
  assert.equal(server.sockets, 0);
});

Deno.test("listen() looks for silent sockets every second, until it is closed", async () => {
  const { setInterval } = globalThis;
  const { tick } = OpenSockets.prototype;
  const timers: [() => void, number][] = [];
  globalThis.setInterval = ((work: () => void, ms: number) => {
    timers.push([work, ms]);
    return setInterval(work, ms);
  }) as typeof setInterval;
  let ticks = 0;
  OpenSockets.prototype.tick = () => void ticks++;
  try {
    const server = await listen(here, LISTEN);
    globalThis.setInterval = setInterval;
    for (const [work, ms] of timers) if (ms === 1000) work();
    assert.equal(ticks, 1);
    await server.close(0);
  } finally {
    globalThis.setInterval = setInterval;
    OpenSockets.prototype.tick = tick;
  }
});

/** What a server answers to these bytes, until it closes or its answer is whole. */
async function answerTo(port: number, bytes: string): Promise<string> {
  const socket = connect(port, LISTEN.host);
  let came = "";
  socket.on("data", (piece) => came += piece);
  const gone = once(socket, "close");
  socket.write(bytes);
  await gone;
  return came;
}

Deno.test("listen() takes an HTTP/1.0 request that names no host, as probes send it", async () => {
  const server = await listen((request) => new Response(request.url), LISTEN);
  try {
    for (const target of ["/readyz", "http://localhost/readyz"]) {
      const answer = await answerTo(server.port, `GET ${target} HTTP/1.0\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 200 /);
      assert.match(answer, /\r\n\r\nhttp:\/\/localhost\/readyz$/, target);
    }
  } finally {
    await server.close(0);
  }
});

Deno.test("listen() answers a request that cannot be read with a JSON error", async () => {
  const server = await listen(() => new Response("read"), LISTEN);
  try {
    for (const host of ["local host", "user@localhost", "localhost:1:2", "::1"]) {
      const request = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      const answer = await answerTo(server.port, request);
      assert.match(answer, /^HTTP\/1\.1 400 [^]*content-type: application\/json/, host);
      assert.match(answer, /\{"error":\{"code":"invalid_message","message":"the request cannot/);
    }
  } finally {
    await server.close(0);
  }
});

Deno.test("listen().answered() takes requests until those under way are done", async () => {
  for (const isInTime of [true, false]) {
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const server = await listen(async ({ url }) => {
      if (!url.endsWith("/slow")) return new Response("stopping");
      asked.resolve();
      await answer.promise;
      return new Response("slow");
    }, LISTEN);
    try {
      await server.answered(600_000); // nothing is under way
      const slow = fetch(`${server.url}/slow`);
      await asked.promise;
      let isAnswered = false;
      const answered = server.answered(isInTime ? 600_000 : 0).then(() => isAnswered = true);
      if (isInTime) {
        assert.equal(await (await fetch(server.url)).text(), "stopping");
        assert.equal(isAnswered, false);
        answer.resolve();
      }
      await answered;
      answer.resolve();
      assert.equal(await (await slow).text(), "slow");
    } finally {
      await server.close(0);
    }
  }
});

Deno.test("listen().answered() does not wait for a client that has gone", async () => {
  const { promise: never, resolve: end } = Promise.withResolvers<Response>();
  const asked = Promise.withResolvers<void>();
  const server = await listen(() => {
    asked.resolve();
    return never;
  }, LISTEN);
  try {
    const socket = await silent(server.port);
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2)); // pipelined
    await asked.promise;
    socket.destroy();
    await server.answered(600_000);
  } finally {
    end(here());
    await server.close(0);
  }
});
