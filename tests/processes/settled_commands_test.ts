import assert from "node:assert/strict";
import { crashed, FakeServer, ready, supervisorOf } from "../support/fake_servers.ts";

Deno.test("SettledCommands.carryOut() asks all, and says which one is silent", async () => {
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

Deno.test("SettledCommands.begin() has the last of each name that all carried out", async () => {
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

Deno.test("SettledCommands.catchUp() gives what was settled during a start", async () => {
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
