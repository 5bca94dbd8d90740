import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { serverMessageSchemas } from "../../streaming/protocol/messages.ts";
import { withServer } from "../support/stream_server.ts";
import { noise } from "../support/stream_truth.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

Deno.test("stream: a message beyond chunk_s ends in 1009, and can be resumed", async () => {
  await withServer({ limits: { maxChunkSeconds: 10 } }, async (server) => {
    for (
      const [query, bytesPerSecond] of [["", 32_000], [
        "encoding=mulaw&sample_rate=8000&channels=2",
        16_000,
      ]] as const
    ) {
      const client = server.connect(query);
      const { resume, limits } = await client.next("ready");
      assert.equal((limits as Record<string, number>).chunk_s, 10);
      client.send(new Uint8Array(10 * bytesPerSecond));
      assert.equal((await client.mark()).samples, query ? 80_000 : 160_000);
      client.send(new Uint8Array(10 * bytesPerSecond + 4));
      const { code, message } = serverMessageSchemas.error.parse(await client.next("error"));
      assert.equal(code, "message_too_big");
      assert.match(message, /up to 10 s of audio, got 10\.0/);
      assert.equal(await client.closed(), 1009);
      const again = await server.connect(`resume=${resume}&received=0`).next("ready");
      assert.equal(again.samples, query ? 80_000 : 160_000);
    }
  });
});

Deno.test("stream: beyond kept_sessions those that expire first are dropped", async () => {
  await withServer({ limits: { maxKeptSessions: 2 } }, async (server) => {
    const tokens: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const client = server.connect();
      tokens.push((await client.next("ready")).resume);
      await client.terminate();
      await server.settled();
      await server.pass(1);
    }
    assert.equal(await server.connect(`resume=${tokens[0]}&received=0`).closed(), 4404);
    for (const token of tokens.slice(1)) {
      await server.connect(`resume=${token}&received=0`).next("ready");
    }
  });
});

Deno.test("stream: a sender that has to wait is warned of its backlog once", async () => {
  await withServer({ limits: { backlogLimitS: 1, backlogWarningS: 0 } }, async (server) => {
    const client = server.connect("every=1000&encoding=mulaw&sample_rate=8000");
    await client.next("ready");
    for (let i = 0; i < 5; i++) client.send(new Uint8Array(8_000 * 10));
    await client.mark();
    assert.deepEqual(client.all("warning").map(({ code }) => code), ["backlog"]);
  });
});

Deno.test("stream: a reader is slow when more than output_bytes wait for it", async () => {
  const slowReader = { slowReaderWarningS: 2, slowReaderTimeoutS: 3 };
  await withServer(
    { limits: { maxOutputBytes: 65_536, ...slowReader, idleTimeoutS: 1e6, sessionLimitS: 1e6 } },
    async (server) => {
      const client = server.connect("output=prediction,latent,context");
      await client.next("ready");
      client.socket.pause();
      const { bytes } = noise(16_000 * 60, 1);
      for (let i = 0; i < 10; i++) client.send(bytes.subarray(0, 1_000_000));
      while (server.errors.length === 0) {
        await turn();
        await server.pass(0.02);
      }
      assert.deepEqual(server.errors, ["slow_reader"]);
      client.socket.resume();
      assert.match(String((await client.next("error")).message), /have waited 3 s to be read/);
      assert.ok(client.all("warning").some(({ code }) => code === "slow_reader"));
      assert.equal(await client.closed(), 1013);
    },
  );
});

Deno.test("stream: a client without pongs is cut, and its session kept", async () => {
  await withServer({ limits: { idleTimeoutS: 1000 } }, async (server) => {
    const client = server.connect();
    const { resume } = await client.next("ready");
    let pings = 0;
    client.socket.on("ping", () => pings++);
    for (let i = 1; i <= 3; i++) {
      await server.pass(20);
      await client.mark(); // its pong lies before
      assert.equal(pings, i);
    }
    await client.terminate();
    const deaf = server.connect(`resume=${resume}&received=0`, { autoPong: false });
    const ready = await deaf.next("ready");
    await server.pass(20);
    await server.pass(19);
    assert.equal(server.hub.size, 1);
    await server.pass(1);
    assert.equal(await deaf.closed(), 1006);
    await server.settled();
    await server.connect(`resume=${ready.resume}&received=0`).next("ready");
  });
});
