import assert from "node:assert/strict";
import { FaultyWorkers } from "../support/faulty_workers.ts";
import { withHttpServer } from "../support/http_server.ts";
import { type TestServer, withServer } from "../support/server.ts";
import { StreamClient } from "../support/stream_client.ts";

/** Asks until the server is ready, or is not; no answer ends the test. */
async function untilReady(app: TestServer["app"], status: 200 | 503): Promise<void> {
  while ((await app.request("/readyz")).status !== status) {
    await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("/readyz is 503 while no model worker is alive, and 200 again once one is", async () => {
  const workers = new FaultyWorkers();
  await withServer(async ({ app }) => {
    const ready = async (path = "/readyz") => (await app.request(path)).status;
    const alive = async () =>
      /^cpc_workers (\d)$/m.exec(await (await app.request("/metrics")).text())?.[1];
    assert.equal(await ready(), 200);
    assert.equal(await alive(), "1");
    workers.break(0, "throw");
    await untilReady(app, 503);
    assert.equal(await alive(), "0");
    assert.match(await (await app.request("/readyz")).text(), /"loading".*workers are restarting/);
    for (const path of ["/v2/health/ready", "/v2/models/tiny/ready"]) {
      assert.equal(await ready(path), 503, path);
    }
    await untilReady(app, 200);
    assert.equal(await alive(), "1");
  }, { startWorker: workers.startWorker });
});

Deno.test("/readyz is 503 while a worker that fails is replaced; /metrics says why", async () => {
  const workers = new FaultyWorkers();
  await withHttpServer(async (_, { app, url }) => {
    const clients = [1, 2, 3].map(() => new StreamClient(url));
    await Promise.all(clients.map((client) => client.next("ready")));
    const speak = () => { // 0.2 s each
      for (const client of clients) {
        for (let i = 0; i < 8; i++) client.send(new Uint8Array(800));
      }
    };
    speak();
    await Promise.all(clients.map((client) => client.mark()));
    workers.break(0, "sicken");
    speak();
    await untilReady(app, 503);
    await untilReady(app, 200);
    for (const client of clients) {
      client.send({ type: "finish" });
      assert.deepEqual([(await client.next("done")).frames, await client.closed()], [40, 1000]);
      const rows = client.all("frames").flatMap(({ first, count }) =>
        Array.from({ length: Number(count) }, (_, i) => Number(first) + i)
      );
      assert.deepEqual(rows, Array.from({ length: 40 }, (_, frame) => frame));
    }
    const text = await (await app.request("/metrics")).text();
    assert.match(text, /^cpc_worker_restarts_total\{reason="failing"\} 1$/m);
    assert.doesNotMatch(text, /^cpc_worker_restarts_total\{reason="(crashed|hung)"/m);
    assert.match(text, /^cpc_streams_moved_total [3-9]$/m);
    assert.match(text, /^cpc_workers 1$/m);
  }, { startWorker: workers.startWorker });
});
