import assert from "node:assert/strict";
import { Log } from "../../log.ts";
import type { FromServer, ToServer } from "../../processes/messages.ts";
import type { ServerListener } from "../../processes/server_process.ts";
import {
  StartFailure,
  type Supervised,
  Supervisor,
  SUPERVISOR_TIMES,
} from "../../processes/supervisor.ts";

const TIMES = {
  ...SUPERVISOR_TIMES,
  backOffMs: 1,
  mostBackOffMs: 4,
  sameSignalMs: 1,
  metricsMs: 10_000,
};

/** A server that does what the test says. */
class FakeServer implements Supervised {
  readonly pid = 1;
  isReady = false;
  readonly told: ToServer[] = [];
  readonly listener: ServerListener;
  readonly process: number;
  #told = Promise.withResolvers<void>();

  constructor(process: number, listener: ServerListener) {
    this.process = process;
    this.listener = listener;
  }
  tell(message: ToServer): void {
    this.told.push(message);
    this.#told.resolve();
    this.#told = Promise.withResolvers<void>();
  }
  /** Waits for something that it is told. */
  async hears<Type extends ToServer["type"]>(type: Type): Promise<ToServer & { type: Type }> {
    for (;;) {
      const found = this.told.find((message) => message.type === type);
      if (found) return found as ToServer & { type: Type };
      await this.#told.promise;
    }
  }
  say(message: FromServer): void {
    if (message.type === "ready") this.isReady = true;
    this.listener.said(message);
  }
  end({ code = 0, signal = null as Deno.Signal | null, words = [] as string[] } = {}): void {
    this.isReady = false;
    this.listener.ended({ code, signal, words });
  }
  kill(): void {
    this.end({ code: 137, signal: "SIGKILL" });
  }
}

/** A supervisor of fake servers; `began` is told of each, in order. */
function supervisorOf(processes: number, began: (server: FakeServer) => void) {
  const lines: string[] = [];
  const servers: FakeServer[] = [];
  const drains: number[] = [];
  const settled: (readonly object[])[] = [];
  const sink = { write: (line: string) => void lines.push(line), takeLost: () => 0 };
  const supervisor = new Supervisor({
    processes,
    times: TIMES,
    log: new Log("info", { sink: { ...sink, flush: () => Promise.resolve() } }),
    logged: sink.write,
    onDrain: (withinS) => void drains.push(withinS),
    launch(process, listener, commands) {
      const server = new FakeServer(process, listener);
      servers.push(server);
      settled.push(commands);
      queueMicrotask(() => began(server));
      return server;
    },
  });
  return { supervisor, servers, lines, drains, settled };
}

const ready = { type: "ready", url: "http://127.0.0.1:1" } as const;
const crashed = { code: 139, signal: "SIGSEGV" as const };

Deno.test("Supervisor.start() gives up, with the reason, when no server comes up", async () => {
  const { supervisor, servers } = supervisorOf(1, (server) => server.end(crashed));
  await assert.rejects(supervisor.start(), (error: Error) => {
    assert.ok(error instanceof StartFailure);
    assert.match(error.message, /server 1 ended with signal SIGSEGV, 5 times before any served/);
    return true;
  });
  assert.equal(servers.length, 5);
});

Deno.test("Supervisor.start() ends with the words of a server that refuses flags", async () => {
  const { supervisor, servers } = supervisorOf(2, (server) => {
    if (server.process === 2) server.end({ code: 2, words: ["deno task start: no"] });
  });
  await assert.rejects(supervisor.start(), { message: "deno task start: no", code: 2 });
  assert.equal(servers.length, 2);
});

Deno.test("Supervisor.start() waits for all servers but one that crashes repeatedly", async () => {
  let crashes = 0;
  const { supervisor, lines } = supervisorOf(2, (server) => {
    if (server.process === 1) server.say(ready);
    else if (++crashes < 8) server.end({ ...crashed, words: ["panic"] });
    else server.say(ready);
    if (crashes === 8) enough.resolve();
  });
  const enough = Promise.withResolvers<void>();
  assert.equal(await supervisor.start(), ready.url);
  await enough.promise; // it goes on trying
  const waits = lines.filter((line) => line.includes("a server was lost"))
    .map((line) => JSON.parse(line).restart_ms);
  assert.deepEqual(waits, [0, 1, 2, 4, 4, 4, 4]);
  assert.ok(lines.includes("panic"));
  assert.equal(lines.filter((line) => line.includes("a server was started again")).length, 1);
  supervisor.kill();
});

Deno.test("Supervisor counts streams and requests of all servers, not of lost ones", async () => {
  const { supervisor, servers } = supervisorOf(2, (server) => server.say(ready));
  await supervisor.start();
  const [one, two] = servers as [FakeServer, FakeServer];
  const take = { type: "take", owner: "a", streams: 1, most: 1 } as const;
  one.say({ ...take, id: 1, place: 1 });
  two.say({ ...take, id: 2, place: 1 });
  two.say({ type: "spend", id: 3, owner: "a", perMinute: 1 });
  one.say({ type: "spend", id: 4, owner: "a", perMinute: 1 });
  assert.deepEqual(one.told[0], { type: "answer", id: 1, value: null });
  assert.deepEqual(two.told.slice(0, 2), [{ type: "answer", id: 2, value: "server" }, {
    type: "answer",
    id: 3,
    value: 0,
  }]);
  const [, waits] = one.told;
  assert.ok(waits?.type === "answer" && Number(waits.value) < -59_000);
  one.end(crashed);
  two.say({ ...take, id: 5, place: 2 });
  assert.deepEqual(two.told.at(-1), { type: "answer", id: 5, value: null });
  supervisor.kill();
});

Deno.test("Supervisor answers for all servers, whichever is asked for metrics", async () => {
  const { supervisor, servers } = supervisorOf(2, (server) => server.say(ready));
  await supervisor.start();
  const [one, two] = servers as [FakeServer, FakeServer];
  const frames = (value: number) => [{
    name: "cpc_frames_total",
    help: "Frames",
    type: "counter" as const,
    aggregator: "sum" as const,
    values: [{ value, labels: {} }],
  }];
  one.say({ type: "metrics", id: 7 });
  for (const [server, value] of [[one, 3], [two, 4]] as const) {
    const { id } = await server.hears("collect");
    server.say({ type: "collected", id, metrics: frames(value) });
  }
  const { id, value } = await one.hears("answer");
  assert.equal(id, 7);
  assert.match(String(value), /^cpc_frames_total 7$/m);
  assert.match(String(value), /^cpc_processes 2$/m);
  supervisor.kill();
});

Deno.test("Supervisor drains a server that a signal reached, and starts another", async () => {
  const again = Promise.withResolvers<void>();
  const { supervisor, servers, lines } = supervisorOf(2, (server) => {
    server.say(ready);
    if (servers.length === 3) again.resolve();
  });
  await supervisor.start();
  servers[0]!.say({ type: "signalled" });
  assert.deepEqual(await servers[0]!.hears("stop"), { type: "stop", whole: false });
  servers[0]!.end();
  await again.promise;
  assert.equal(servers[2]!.process, 1);
  assert.ok(!lines.some((line) => line.includes("a server was lost")));
  supervisor.kill();
});

Deno.test("Supervisor.stop() has all servers drain, and ends those that are late", async () => {
  const { supervisor, servers } = supervisorOf(2, (server) => server.say(ready));
  await supervisor.start();
  const stopped = supervisor.stop(20);
  const told = await servers[0]!.hears("stop");
  assert.deepEqual(told, { type: "stop", whole: true, withinMs: 20 });
  servers[0]!.say({ type: "signalled" }); // the same signal
  servers[0]!.end();
  await stopped; // the other one was killed
  assert.equal(servers[0]!.told.length, 1);
  assert.equal(servers.length, 2);
});

Deno.test("Supervisor ends a server that no longer answers, and starts it again", async () => {
  const again = Promise.withResolvers<void>();
  const servers: FakeServer[] = [];
  const supervisor = new Supervisor({
    processes: 1,
    times: { ...TIMES, lookMs: 1, silentMs: 5, metricsMs: 1 },
    log: new Log("silent"),
    logged: () => {},
    onDrain: () => {},
    launch(process, listener) {
      const server = new FakeServer(process, listener);
      servers.push(server);
      queueMicrotask(() => server.say(ready));
      if (servers.length === 2) again.resolve();
      return server;
    },
  });
  await supervisor.start();
  await again.promise;
  supervisor.kill();
});

Deno.test("Supervisor has all servers carry a command out, and says which of them is silent", async () => {
  const { supervisor, servers, drains } = supervisorOf(2, (server) => server.say(ready));
  await supervisor.start();
  const [one, two] = servers as [FakeServer, FakeServer];
  const command = { do: "end", session: "s" };
  one.say({ type: "administer", id: 7, withinMs: 10_000, command });
  for (const [server, value] of [[one, null], [two, "live"]] as const) {
    const { id, command: heard } = await server.hears("administer");
    assert.deepEqual(heard, command);
    server.say({ type: "administered", id, told: { value } });
  }
  const { id, value } = await one.hears("answer");
  assert.deepEqual([id, JSON.parse(String(value))], [7, [{ value: null }, { value: "live" }]]);

  one.told.splice(0);
  two.say({ type: "administer", id: 8, withinMs: 1, command });
  const late = await two.hears("answer");
  const told: { error: { code: string; message: string } }[] = JSON.parse(String(late.value));
  assert.deepEqual(told.map(({ error }) => error.code), ["overloaded", "overloaded"]);
  assert.match(told[1]!.error.message, /^server 2 did not answer within 1 ms/);

  two.say({ type: "drain", withinS: 9 });
  assert.deepEqual(drains, [9]);
  supervisor.kill();
});

Deno.test("Supervisor.reload() has one server see to the keys of all", async () => {
  const { supervisor, servers, lines } = supervisorOf(2, (server) => server.say(ready));
  supervisor.reload();
  assert.match(lines[0]!, /no server is there to read the keys again/);
  await supervisor.start();
  supervisor.reload();
  const told = servers.map((server) => server.told.filter(({ type }) => type === "reload").length);
  assert.deepEqual(told, [1, 0]);
  supervisor.kill();
});

Deno.test("Supervisor tells a server that begins later what administrators have settled: the last command of each name that all servers carried out", async () => {
  const again = Promise.withResolvers<void>();
  const { supervisor, servers, settled } = supervisorOf(1, (server) => {
    server.say(ready);
    if (servers.length === 2) again.resolve();
  });
  await supervisor.start();
  const [server] = servers as [FakeServer];
  let id = 0;
  const settle = async (settles: string | undefined, n: number, told: Record<string, unknown>) => {
    server.told.splice(0);
    server.say({ type: "administer", id: ++id, withinMs: 10_000, command: { n }, settles });
    const question = await server.hears("administer");
    server.say({ type: "administered", id: question.id, told });
    await server.hears("answer");
  };
  await settle("model a", 1, { value: true });
  await settle("model b", 2, { value: true });
  await settle("model a", 3, { value: 0 });
  await settle("model b", 4, { error: { code: "model_in_use", message: "no" } });
  await settle(undefined, 5, { value: [] });
  server.end(crashed);
  await again.promise;
  assert.deepEqual(settled, [[], [{ n: 3 }, { n: 2 }]]);
  supervisor.kill();
});

Deno.test("Supervisor has a server do what administrators settled while it was starting, once it serves", async () => {
  const starting = Promise.withResolvers<FakeServer>();
  const { supervisor, servers, lines } = supervisorOf(2, (server) => {
    if (servers.length > 2) starting.resolve(server);
    else server.say(ready);
  });
  await supervisor.start();
  const [first, second] = servers as [FakeServer, FakeServer];
  second.end(crashed);
  const third = await starting.promise;
  first.say({
    type: "administer",
    id: 1,
    withinMs: 10_000,
    command: { do: "reload" },
    settles: "keys",
  });
  const { id } = await first.hears("administer");
  first.say({ type: "administered", id, told: { value: 1 } });
  await first.hears("answer");
  assert.ok(third.told.every(({ type }) => type !== "administer"), "it could not hear it yet");
  third.say(ready);
  const late = await third.hears("administer");
  assert.deepEqual(late.command, { do: "reload" });
  const told = { error: { code: "invalid_option", message: "no" } };
  third.say({ type: "administered", id: late.id, told });
  await settled();
  assert.match(lines.at(-1)!, /could not do what administrators had settled.*"invalid_option"/);
  assert.equal(first.told.filter(({ type }) => type === "administer").length, 1);
  supervisor.kill();
});

/** Lets what waits for nothing but its turn happen. */
const settled = () => new Promise((resolve) => setTimeout(resolve));
