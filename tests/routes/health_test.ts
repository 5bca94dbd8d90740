import assert from "node:assert/strict";
import { FaultyWorkers } from "../support/faulty_workers.ts";
import { withServer } from "../support/server.ts";

Deno.test("/readyz is 503 while no model worker is alive, and 200 again once one is", async () => {
  const workers = new FaultyWorkers();
  await withServer(async ({ app }) => {
    const ready = async () => (await app.request("/readyz")).status;
    const alive = async () =>
      /^cpc_workers (\d)$/m.exec(await (await app.request("/metrics")).text())?.[1];
    const until = async (status: number) => {
      while (await ready() !== status) await new Promise((resolve) => setTimeout(resolve));
    };
    assert.equal(await ready(), 200);
    assert.equal(await alive(), "1");
    workers.break(0, "throw");
    await until(503);
    assert.equal(await alive(), "0");
    assert.match(await (await app.request("/readyz")).text(), /"loading".*workers are restarting/);
    await until(200);
    assert.equal(await alive(), "1");
  }, { startWorker: workers.startWorker });
});
