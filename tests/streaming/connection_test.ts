import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { OpenedStream, StreamNames } from "../../streaming/member.ts";
import { Connection } from "../../streaming/connection.ts";
import { MemoryResumeStore } from "../../streaming/session/resume_store.ts";
import type { Wire } from "../../streaming/wire.ts";
import { heardFrames } from "../support/stream_client.ts";
import { type StreamServer, WIDTHS, withServer } from "../support/stream_server.ts";
import { assertFrames, chunksOf, noise, truthOf } from "../support/stream_truth.ts";

/** A wire that keeps what is sent, and whose client reads at once. */
function wireTo(said: string[]): Wire {
  return {
    address: undefined,
    bufferedAmount: 0,
    send(data, sent) {
      said.push(String(data));
      sent();
    },
    close() {},
    ping() {},
    terminate() {},
    pause() {},
    resume() {},
  };
}

const typeOf = (text: string) => JSON.parse(text).type as string;

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Streams a signal on a healthy client and checks every frame. */
async function assertHealthy(server: StreamServer, seed: number): Promise<void> {
  const { bytes, samples } = noise(20_000, seed);
  const client = server.connect("output=context,latent");
  await client.next("ready");
  for (const chunk of chunksOf(bytes, { longest: 2_000, seed })) client.send(chunk);
  client.send({ type: "finish" });
  await client.closed();
  assertFrames(heardFrames(client.came, WIDTHS), truthOf(samples), {
    output: ["context", "latent"],
  });
}

/**
 * Sends audio until the socket takes no more: what waits at the client stays the same while the
 * server works.
 */
async function flood(
  client: { socket: { send(data: Uint8Array): void; bufferedAmount: number } },
): Promise<number> {
  const chunk = new Uint8Array(256 * 1024);
  for (let i = 0; i < 400; i++) client.socket.send(chunk);
  const sent = 400 * chunk.length;
  for (let before = -1, same = 0; same < 50;) {
    await turn();
    const waiting = client.socket.bufferedAmount;
    same = waiting === before ? same + 1 : 0;
    before = waiting;
    if (waiting === 0) throw new Error(`the server took all ${sent} bytes`);
  }
  return sent;
}

Deno.test("connection: a client that never reads is warned and ended, alone", async () => {
  await withServer({
    limits: {
      idleTimeoutS: 1e6,
      sessionLimitS: 1e6,
      slowReaderWarningS: 5,
      slowReaderTimeoutS: 30,
    },
  }, async (server) => {
    const client = server.connect("output=prediction,latent,context");
    await client.next("ready");
    client.socket.pause();
    await flood(client);
    await assertHealthy(server, 1);
    const neighbour = assertHealthy(server, 2);
    // its outgoing buffer fills up, then 30 s pass on the clock
    while (server.errors.length === 0) {
      await turn();
      await server.pass(0.02);
    }
    await neighbour;
    assert.deepEqual(server.errors, ["slow_reader"]);
    client.socket.resume();
    const { code, retryable } = await client.next("error");
    assert.deepEqual([code, retryable], ["slow_reader", true]);
    assert.ok(client.all("warning").some((warning) => warning.code === "slow_reader"));
    client.socket.terminate();
    const outgoing = client.came.reduce((sum, one) => sum + JSON.stringify(one).length, 0);
    assert.ok(
      outgoing < 40 * 1024 * 1024,
      `${outgoing} bytes were made for a reader that does not read`,
    );
  });
});

Deno.test("connection: marks by the thousand from a deaf client pile up nothing", async () => {
  await withServer({}, async (server) => {
    const client = server.connect();
    await client.next("ready");
    client.socket.pause();
    const mark = JSON.stringify({ type: "mark", id: "x".repeat(60_000) });
    for (let i = 0; i < 1000; i++) client.socket.send(mark);
    for (let before = -1, same = 0; same < 50;) {
      await turn();
      const waiting = client.socket.bufferedAmount;
      same = waiting === before ? same + 1 : 0;
      before = waiting;
    }
    assert.ok(client.socket.bufferedAmount > 0, "the server stopped reading");
    await assertHealthy(server, 3);
  });
});

Deno.test("connection: a sender faster than the model is throttled, never idle", async () => {
  await withServer({ limits: { backlogLimitS: 1 } }, async (server) => {
    const client = server.connect("every=1000&encoding=mulaw&sample_rate=8000");
    await client.next("ready");
    const seconds = 180;
    const chunk = new Uint8Array(8_000 * 60);
    for (let i = 0; i < seconds / 60; i++) client.send(chunk);
    await client.until(() => client.all("frames").length > 0, "frames");
    await server.pass(59);
    await server.pass(59);
    await assertHealthy(server, 4);
    const { samples } = await client.mark();
    assert.equal(samples, seconds * 8_000);
    client.send({ type: "finish" });
    const { stats } = await client.next("done");
    assert.ok(
      (stats as { backlog_max_s: number }).backlog_max_s < 1 + 32 * 1024 / 8_000 + 0.1,
      JSON.stringify(stats),
    );
    assert.equal(await client.closed(), 1000);
  });
});

Deno.test("connection: a client that talks on after finish ends cleanly", async () => {
  await withServer({}, async (server) => {
    const client = server.connect();
    const { resume } = await client.next("ready");
    client.send({ type: "finish" });
    for (let i = 0; i < 1000; i++) client.send({ type: "keep_alive" });
    assert.equal(await client.closed(), 1000);
    await server.settled();
    assert.equal(await server.connect(`resume=${resume}&received=0`).closed(), 4404);
  });
});

Deno.test("connection: a draining server reads no more, and answers what it has read", async () => {
  await withServer({ limits: { backlogLimitS: 1 } }, async (server) => {
    const client = server.connect("every=100&encoding=mulaw&sample_rate=8000");
    await client.next("ready");
    for (let message = 0; message < 5; message++) client.send(new Uint8Array(8_000 * 20));
    await client.until(() => client.all("frames").length > 0, "frames");
    await server.hub.drain(60_000);
    assert.equal(await client.closed(), 1001);
    const last = client.all("frames").at(-1);
    assert.ok(Number(last?.first) < 5 * 20 * 100 - 100, "not all that was sent is waited for");
  });
});

Deno.test("connection: draining does not wait for a model that hangs", async () => {
  await withServer({}, async (server) => {
    const open = server.pool.open.bind(server.pool);
    server.pool.open = (options) => {
      const stream = open(options);
      stream.drained = () => new Promise(() => {});
      return stream;
    };
    const client = server.connect();
    await client.next("ready");
    await server.hub.drain(1);
    assert.equal(await client.closed(), 1001);
  });
});

Deno.test("connection: the log has key, address and session of opens and errors", async () => {
  await withServer({}, async ({ hub, settled }) => {
    const told: unknown[][] = [];
    hub.failed = ({ code }, { key, address, session }) =>
      void told.push([code, key, address, typeof session]);
    Object.assign(hub, {
      opened: ({ model, resumed }: OpenedStream, { key, address, session }: StreamNames) =>
        void told.push([model, resumed, key, address, typeof session]),
    });
    const wire = { ...wireTo([]), address: "192.0.2.7" };
    const connection = new Connection(wire, { hub, owner: "alice" });
    await connection.start(new URLSearchParams());
    connection.receive("not JSON");
    while (told.length < 2) await turn();
    assert.deepEqual(told, [
      [hub.pool.defaultModel, false, "alice", "192.0.2.7", "string"],
      ["invalid_json", "alice", "192.0.2.7", "string"],
    ]);
    connection.closed({ clean: true });
    await settled();
  });
});

for (const [what, count, spaces] of [["small", 2_000, 0], ["large", 60, 8_000]] as const) {
  Deno.test(`connection: a flood of ${what} messages leaves the thread its turns`, async () => {
    await withServer({}, async ({ hub, settled }) => {
      const said: string[] = [];
      let paused = false;
      const wire = {
        ...wireTo(said),
        pause: () => paused = true,
        resume: () => paused = false,
      };
      const connection = new Connection(wire, { hub, owner: "" });
      await connection.start(new URLSearchParams());
      const message = '{"type":"keep_alive"}' + " ".repeat(spaces);
      for (let i = 0; i < count; i++) connection.receive(message);
      let turns = 0;
      for (; paused; turns++) await turn();
      assert.ok(turns >= 10, `read again after ${turns} turns of the event loop`);
      connection.receive('{"type":"mark","id":"heard"}');
      while (!said.some((text) => text.includes("heard"))) await turn();
      connection.closed({ clean: true });
      await settled();
    });
  });
}

Deno.test("connection: after `done` nothing is taken, told or timed", async () => {
  await withServer({ limits: { idleTimeoutS: 10 } }, async ({ hub, pass, settled, errors }) => {
    const said: string[] = [];
    const codes: number[] = [];
    let pauses = 0;
    const wire = {
      ...wireTo(said),
      close: (code: number) => codes.push(code),
      pause: () => pauses++,
    };
    const connection = new Connection(wire, { hub, owner: "" });
    await connection.start(new URLSearchParams());
    connection.receive('{"type":"finish"}');
    while (codes.length === 0) await turn();
    assert.equal(typeOf(said.at(-1)!), "done");
    const before = said.length;
    for (let i = 0; i < 2_000; i++) connection.receive('{"type":"mark","id":1}');
    connection.receive("not JSON");
    connection.receive(new Uint8Array(4096));
    pass(60); // beyond the idle timeout
    await turn();
    assert.equal(said.length, before, said.slice(before).join());
    assert.deepEqual(codes, [1000]);
    assert.equal(pauses, 0, "a paused socket would not see the client's answer to the close");
    assert.deepEqual(errors, []);
    connection.warn("store", "late");
    assert.equal(said.length, before, "not after the close either");
    connection.closed({ clean: true });
    await settled();
  });
});

Deno.test("connection: `ready` comes first, whatever the store does meanwhile", async () => {
  await withServer({}, async ({ hub, settled }) => {
    const said: string[] = [];
    const connection = new Connection(wireTo(said), { hub, owner: "" });
    const started = connection.start(new URLSearchParams());
    connection.warn("store", "while it opens");
    await started;
    connection.warn("store", "while it is open");
    assert.deepEqual(said.map(typeOf), ["ready", "warning"]);
    connection.closed({ clean: true });
    await settled();
  });
});

Deno.test("connection: a client that asks and does not read gets no answer", async () => {
  await withServer({}, async ({ hub }) => {
    const sent: { data: unknown; left: () => void }[] = [];
    const wire = {
      ...wireTo([]),
      isPaused: false,
      send: (data: string | Uint8Array, left: () => void) => void sent.push({ data, left }),
      pause() {
        this.isPaused = true;
      },
      resume() {
        this.isPaused = false;
      },
    };
    const connection = new Connection(wire, { hub, owner: "" });
    await connection.start(new URLSearchParams());
    sent.length = 0;
    wire.bufferedAmount = hub.limits.maxOutputBytes + 1;
    for (let id = 0; id < 100; id++) {
      connection.receive(JSON.stringify({ type: "mark", id: String(id) }));
    }
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual([sent.length, wire.isPaused], [0, true]);
    wire.bufferedAmount = 0;
    connection.warn("store", "something leaves");
    sent[0]!.left();
    while (sent.length < 101) await new Promise((resolve) => setTimeout(resolve));
    assert.match(String(sent.at(-1)!.data), /"marked","id":"99"/);
    assert.equal(wire.isPaused, false);
    connection.closed({ clean: true });
  });
});

Deno.test("connection: what a resume goes on from is in the store before it is told", async () => {
  let gate = Promise.withResolvers<void>();
  let asked = Promise.withResolvers<string>();
  class HeldBackStore extends MemoryResumeStore {
    override given() {
      asked.resolve("the store");
      return gate.promise;
    }
  }
  const store = () => Promise.resolve(new HeldBackStore({ maxKept: 1 }));
  await withServer({ store }, async (server) => {
    const client = server.connect();
    for (
      const [type, message] of [
        ["ready"],
        ["reset", { type: "reset" }],
        ["updated", { type: "update", output: ["latent"] }],
      ] as const
    ) {
      if (message) client.send(message);
      const told = client.next(type);
      assert.equal(await Promise.race([asked.promise, told.then(() => "the client")]), "the store");
      await turn();
      assert.deepEqual(client.all(type), []);
      gate.resolve();
      await told;
      gate = Promise.withResolvers();
      asked = Promise.withResolvers();
    }
    assert.equal((await client.mark()).frames, 0, "which changes nothing");
  });
});
