import assert from "node:assert/strict";
import { Heartbeat } from "../../client/heartbeat.ts";
import type { StreamError } from "../../client/stream_error.ts";

/** A heartbeat of a connection that opened at 0, and what it does. */
function beating({ keepAlive = false } = {}) {
  const sent: string[] = [];
  const drops: StreamError[] = [];
  const connection = {
    lastHeardMs: 0,
    lastSentMs: 0,
    send: (data: unknown) => void sent.push(String(data)),
    drop: (why: StreamError) => void drops.push(why),
  };
  const server = { owes: false };
  const heartbeat = new Heartbeat({
    connection: () => connection,
    isAnswerOwed: () => server.owes,
    idleMs: () => 60_000,
    keepAlive,
    timeoutMs: 20_000,
  });
  return { heartbeat, connection, server, sent, drops };
}

Deno.test("Heartbeat leaves a server the whole timeout to answer after a quiet hour", () => {
  const { heartbeat, server, drops } = beating();
  heartbeat.look(3_600_000);
  server.owes = true;
  heartbeat.look(3_601_000);
  heartbeat.look(3_621_000);
  assert.deepEqual(drops, []);
  heartbeat.look(3_621_001);
  assert.deepEqual(drops.map(({ code, retryable }) => [code, retryable]), [["timeout", true]]);
});

Deno.test("Heartbeat counts silence from the last sign of life, and anew with each question", () => {
  const { heartbeat, connection, server, drops } = beating();
  server.owes = true;
  heartbeat.look(1000);
  connection.lastHeardMs = 15_000;
  heartbeat.look(35_000);
  server.owes = false;
  heartbeat.look(36_000);
  server.owes = true;
  heartbeat.look(50_000);
  heartbeat.look(70_000);
  assert.deepEqual(drops, []);
});

Deno.test("Heartbeat keeps a stream open after a third of the idle timeout, if it shall", () => {
  for (const keepAlive of [true, false]) {
    const { heartbeat, sent } = beating({ keepAlive });
    heartbeat.look(20_000);
    assert.deepEqual(sent, []);
    heartbeat.look(20_001);
    assert.deepEqual(sent, keepAlive ? ['{"type":"keep_alive"}'] : []);
  }
});
