import assert from "node:assert/strict";
import { Log } from "../../log.ts";
import { StartFailure, Supervisor } from "../../processes/supervisor.ts";
import { crashed, FakeServer, ready, supervisorOf, TIMES } from "../support/fake_servers.ts";

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
    server.say({ type: "collected", id, metrics: frames(value), used: [] });
  }
  const { id, value } = await one.hears("answer");
  assert.equal(id, 7);
  assert.match(String(value), /^cpc_frames_total 7$/m);
  assert.match(String(value), /^cpc_processes 2$/m);
  supervisor.kill();
});

Deno.test("Supervisor counts what each key uses on all servers", async () => {
  const { supervisor, servers } = supervisorOf(2, (server) => server.say(ready));
  await supervisor.start();
  const [one, two] = servers as [FakeServer, FakeServer];
  type News = [key: string, used: { frames: number }][];
  const answered = async (question: { type: "usage"; key: string } | { type: "metrics" }, news: {
    one: News;
    two: News;
  }) => {
    for (const { told } of [one, two]) told.length = 0;
    one.say({ ...question, id: 7 });
    for (const [server, used] of [[one, news.one], [two, news.two]] as const) {
      const { id } = await server.hears("collect");
      server.say({ type: "collected", id, metrics: [], used });
    }
    return String((await one.hears("answer")).value);
  };
  const framesOf = async (key: string, news: { one: News; two: News }) =>
    JSON.parse(await answered({ type: "usage", key }, news))
      .map(({ frames }: { frames: number }) => frames);
  const first = { one: [["a", { frames: 3 }], ["b", { frames: 9 }]], two: [["a", { frames: 4 }]] };
  assert.deepEqual(await framesOf("a", first as { one: News; two: News }), [7]);
  assert.deepEqual(await framesOf("b", { one: [], two: [["a", { frames: 1 }]] }), [9]);
  const text = await answered({ type: "metrics" }, { one: [], two: [] });
  assert.match(text, /^cpc_usage_frames_total\{key="a"\} 8$/m);
  assert.match(text, /^cpc_usage_frames_total\{key="b"\} 9$/m);
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
