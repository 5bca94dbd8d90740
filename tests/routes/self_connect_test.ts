import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { reachesItself } from "../../routes/self_connect.ts";

/** Listens on a port that others may share. */
async function sharing(port: number): Promise<Server> {
  const server = createServer((socket) => void socket.on("error", () => {}).resume());
  server.listen({ host: "127.0.0.1", port, reusePort: true });
  await once(server, "listening");
  return server;
}

Deno.test("reachesItself() reaches this server on a shared port, unless it is deaf", async () => {
  const one = await sharing(0);
  const { port } = one.address() as AddressInfo;
  const two = await sharing(port);
  const at = { host: "127.0.0.1", port };
  const reaches = (server: Server, withinMs: number) => {
    const accepted = new Promise<void>((resolve) => server.once("connection", () => resolve()));
    return reachesItself(at, { accepted, withinMs, processes: 2 });
  };
  try {
    for (let i = 0; i < 8; i++) {
      assert.equal(await reaches(one, 5000), true);
      assert.equal(await reaches(two, 5000), true);
    }
    const never = new Promise<void>(() => {});
    assert.equal(await reachesItself(at, { accepted: never, withinMs: 50, processes: 2 }), false);
  } finally {
    const closed = [one, two].map((server) => once(server, "close"));
    for (const server of [one, two]) server.close();
    await Promise.all(closed);
  }
});

Deno.test("reachesItself() does not take a stalled thread for a deaf server", async () => {
  const server = await sharing(0);
  const { port } = server.address() as AddressInfo;
  const withinMs = 20;
  const accepted = (async () => {
    for (let turn = 0; turn < 5; turn++) {
      const endMs = performance.now() + 3 * withinMs;
      while (performance.now() < endMs);
      await new Promise((resolve) => setTimeout(resolve));
    }
  })();
  const at = { host: "127.0.0.1", port };
  assert.equal(await reachesItself(at, { accepted, withinMs, processes: 1 }), true);
  const closed = once(server, "close");
  server.close();
  await closed;
});

Deno.test("reachesItself() takes a refusal for an answer on an unshared port", async () => {
  const closed = await sharing(0);
  const at = { host: "127.0.0.1", port: (closed.address() as AddressInfo).port };
  await Promise.all([once(closed, "close"), closed.close()]);
  for (const processes of [1, 2]) {
    const { promise: accepted, resolve: accept } = Promise.withResolvers<void>();
    const reached = reachesItself(at, { accepted, withinMs: 600_000, processes });
    // those that begin later are refused later
    for (let i = 0; i < 3; i++) await once(connect(at), "error");
    accept();
    assert.equal(await reached, processes === 2);
  }
});

Deno.test("reachesItself() blames no server for a connection that cannot be tried", async () => {
  const at = { host: "255.255.255.255", port: 9 }; // broadcast is nobody's address
  const accepted = new Promise<void>(() => {});
  assert.equal(await reachesItself(at, { accepted, withinMs: 600_000, processes: 1 }), true);
});
