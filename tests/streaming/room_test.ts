import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { modelLayout } from "../../model/engine.ts";
import type { ServerMessage } from "../../streaming/protocol/messages.ts";
import { parseStreamQuery, streamConfig } from "../../streaming/protocol/query.ts";
import { queueSamples, Room } from "../../streaming/room.ts";
import { Session } from "../../streaming/session/session.ts";
import { tinyConfig } from "../support/models.ts";
import { LIMITS } from "../support/stream_server.ts";

const limits = { ...LIMITS, backlogLimitS: 1, backlogWarningS: 5 };
const layout = modelLayout(tinyConfig);

function sessionOf(query: string): Session {
  const options = parseStreamQuery(new URLSearchParams(query));
  const config = streamConfig(options, { model: "tiny", dims: layout.dims });
  return new Session(config, { owner: "", layout, nowMs: 0 });
}

/** A room whose queue, reader and clock the test moves. */
function roomOf() {
  const held: boolean[] = [];
  const said: ServerMessage[] = [];
  const now = { ms: 0 };
  const out = { full: false, say: (message: ServerMessage) => void said.push(message) };
  const stream = { queuedSamples: 0 };
  const session = sessionOf("");
  const room = new Room({
    inbox: { hold: (hold) => held.push(hold) },
    out,
    backlog: () => ({ session, stream }),
    limits,
    nowMs: () => now.ms,
  });
  const wait = async () => {
    let over = false;
    const waiting = room.wait().then(() => over = true);
    await new Promise((resolve) => setImmediate(resolve));
    return { waiting, isOver: () => over };
  };
  return { room, held, said, now, out, stream, most: queueSamples(session, limits), wait };
}

Deno.test("Room.wait() holds the inbox while a queue or buffer is full", async () => {
  const { room, held, out, stream, most, wait } = roomOf();
  assert.ok((await wait()).isOver());
  assert.deepEqual(held, []);
  stream.queuedSamples = most;
  const { waiting, isOver } = await wait();
  out.full = true;
  stream.queuedSamples = most - 1;
  room.wake();
  await Promise.resolve();
  assert.deepEqual([isOver(), held], [false, [true]]);
  out.full = false;
  room.wake();
  await waiting;
  assert.deepEqual(held, [true, false]);
});

Deno.test("Room.wait() warns of a backlog once, and never where the reader was slow", async () => {
  const { room, said, now, out, stream, most, wait } = roomOf();
  const waitFor = async (seconds: number, { slow }: { slow: boolean }) => {
    stream.queuedSamples = most;
    const { waiting } = await wait();
    now.ms += seconds * 1000;
    out.full = slow;
    room.wake();
    out.full = false;
    stream.queuedSamples = 0;
    room.wake();
    await waiting;
    return said.length;
  };
  assert.equal(await waitFor(4.9, { slow: false }), 0);
  assert.equal(await waitFor(6, { slow: true }), 0);
  assert.equal(await waitFor(5, { slow: false }), 1);
  assert.match(JSON.stringify(said), /"code":"backlog".*reading waited 5000 ms/);
  assert.equal(await waitFor(6, { slow: false }), 1);
});

Deno.test("Room.wait() adds up short waits of a queue that stays more than half full", async () => {
  const { room, said, now, out, stream, most, wait } = roomOf();
  const waitFor = async (seconds: number, { left, slow }: { left: number; slow?: boolean }) => {
    stream.queuedSamples = most;
    const { waiting } = await wait();
    now.ms += seconds * 1000;
    stream.queuedSamples = left;
    if (slow) {
      out.full = true;
      room.wake();
      out.full = false;
    }
    room.wake();
    await waiting;
    return said.length;
  };
  for (let i = 0; i < 4; i++) assert.equal(await waitFor(1, { left: most - 1 }), 0);
  assert.equal(await waitFor(0.5, { left: most / 2 }), 0, "it has caught up");
  for (let i = 0; i < 4; i++) assert.equal(await waitFor(1, { left: most / 2 + 1 }), 0);
  stream.queuedSamples = 0;
  await room.wait(); // caught up while nothing came
  for (let i = 0; i < 4; i++) assert.equal(await waitFor(1, { left: most - 1 }), 0);
  assert.equal(await waitFor(1, { left: most - 1, slow: true }), 0, "the reader was slow");
  for (let i = 0; i < 4; i++) assert.equal(await waitFor(1, { left: most - 1 }), 0);
  assert.equal(await waitFor(1, { left: most - 1 }), 1);
  assert.match(JSON.stringify(said), /reading waited 5000 ms/);
});

Deno.test("Room.end() lets go of who waits, and leaves the inbox alone", async () => {
  const { room, held, said, now, stream, most, wait } = roomOf();
  stream.queuedSamples = most;
  const { waiting } = await wait();
  now.ms = 60_000;
  room.end();
  await waiting;
  await room.wait();
  assert.deepEqual([held, said], [[true], []]);
});

Deno.test("queueSamples(): backlog_s of audio, less for large frames, four hops or more", () => {
  const most = (query: string, maxOutputBytes: number) =>
    queueSamples(sessionOf(query), { ...limits, maxOutputBytes });
  const { hopSamples } = layout.plan;
  assert.equal(most("", 1e9), 16_000);
  const rowBytes = layout.dims.context * 4;
  assert.equal(most("format=binary", 10 * rowBytes), 4 * 10 * hopSamples);
  assert.equal(most("", 10 * rowBytes * 3), 4 * 10 * hopSamples);
  assert.equal(most("format=binary&every=2", 5 * rowBytes), 4 * 10 * hopSamples);
  const { context: C, latent: Z } = layout.dims;
  for (
    const [output, floats] of [
      ["context,latent", C + Z],
      ["context,prediction", C + 2 * Z],
      ["latent,score", Z + 2 * 2],
      ["context,latent,prediction,score", C + Z + 2 * Z + 2 * 2],
    ] as const
  ) {
    const query = `format=binary&output=${output}&steps=1,2`;
    assert.equal(Math.round(most(query, 10 * floats * 4)), 4 * 10 * hopSamples, output);
  }
  assert.equal(most("output=prediction,latent,score", 1), 4 * hopSamples);
});
