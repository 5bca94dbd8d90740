import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { setImmediate } from "node:timers";
import { listen } from "../../routes/server.ts";

const OPTIONS = {
  host: "127.0.0.1",
  port: 0,
  maxMessageBytes: 1024,
  allowOrigins: [],
  knownHost: () => true,
  sockets: { open: 8, closing: 8 },
  onDeaf: () => {},
};

Deno.test("listen().close() waits for requests, and cuts them after the grace", async () => {
  for (const isInTime of [true, false]) {
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const server = await listen(async () => {
      asked.resolve();
      await answer.promise;
      return new Response("here", { headers: { connection: "close" } });
    }, OPTIONS);
    const socket = connect(server.port, OPTIONS.host);
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
