import assert from "node:assert/strict";
import { assertEnds, heardFrames } from "../support/stream_client.ts";
import { WIDTHS, withServer } from "../support/stream_server.ts";
import { assertFrames, noise, truthOf } from "../support/stream_truth.ts";

Deno.test("stream: idle is warned of, then ends in 4408; keep_alive resets it", async () => {
  await withServer({ limits: { idleTimeoutS: 60, sessionLimitS: 1000 } }, async (server) => {
    const client = server.connect();
    await client.next("ready");
    await server.pass(50);
    assert.equal((await client.next("warning")).code, "idle");
    client.send({ type: "keep_alive" });
    await client.mark();
    await server.pass(44);
    await server.pass(10);
    assert.equal((await client.next("warning", 1)).code, "idle");
    await server.pass(6);
    await assertEnds(client, "idle_timeout", 4408);
    assert.equal(client.all("warning").length, 2);
  });
});

Deno.test("stream: a session ends at its limit with 4440, whatever it does", async () => {
  await withServer({ limits: { sessionLimitS: 100 } }, async (server) => {
    const client = server.connect();
    await client.next("ready");
    for (let i = 0; i < 3; i++) {
      await server.pass(30);
      client.send({ type: "keep_alive" });
      await client.mark();
    }
    await server.pass(10);
    await assertEnds(client, "session_limit", 4440);
  });
});

Deno.test("stream: draining answers what was heard, then ends in 1001", async () => {
  await withServer({}, async (server) => {
    const { bytes, samples } = noise(4_000, 7);
    const client = server.connect();
    await client.next("ready");
    client.send(bytes);
    await client.mark();
    await server.hub.drain(10_000);
    await assertEnds(client, "draining", 1001);
    const [warning] = client.all("warning");
    assert.equal(warning?.code, "draining");
    assert.equal("resume" in warning, false, "no other server could redeem a token");
    assertFrames(heardFrames(client.came, WIDTHS), truthOf(samples).slice(0, 24), {
      output: ["context"],
    });
    await assertEnds(server.connect(), "draining", 1001);
  });
});
