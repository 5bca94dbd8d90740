import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { LIMITS } from "../../config/limits.ts";
import {
  type CountedSocket,
  MOST_PIPELINED,
  OpenSockets,
  SILENT_BYTES,
  SILENT_MS,
} from "../../routes/open_sockets.ts";

/** A socket that only tells whether it was cut. */
class TestSocket extends EventEmitter {
  readonly remoteAddress: string;
  readonly remotePort: number;
  writableLength = 0;
  bytesRead = 0;
  destroyed = false;
  constructor(port: number, address = "127.0.0.1") {
    super();
    this.remotePort = port;
    this.remoteAddress = address;
  }
  destroy(): this {
    this.destroyed = true;
    this.emit("close");
    return this;
  }
}

/** A socket that is cut, but keeps its file descriptor until `close`. */
class LingeringSocket extends TestSocket {
  override destroy(): this {
    this.destroyed = true;
    return this;
  }
}

function socket(port: number, address?: string): TestSocket & CountedSocket {
  return new TestSocket(port, address) as TestSocket & CountedSocket;
}

const STALL_MS = 30_000;

function socketsOf({ most, nowMs = () => 0 }: { most: number; nowMs?: () => number }): OpenSockets {
  return new OpenSockets({ most, stallMs: STALL_MS, nowMs });
}

Deno.test("OpenSockets cuts the longest silent socket for a new one, else the new one", () => {
  const sockets = socketsOf({ most: 2 });
  const [a, b, c, d] = [1, 2, 3, 4].map((port) => socket(port));
  assert.ok(a && b && c && d);
  sockets.add(a);
  sockets.spoke(a);
  sockets.add(b);
  sockets.add(c);
  assert.deepEqual([a, b, c].map(({ destroyed }) => destroyed), [false, true, false]);
  sockets.spoke(c);
  sockets.add(d);
  assert.deepEqual([a, c, d].map(({ destroyed }) => destroyed), [false, false, true]);
  assert.equal(sockets.size, 2);
  a.destroy();
  assert.equal(sockets.size, 1);
});

Deno.test("OpenSockets counts a socket as silent again once all its requests are answered", () => {
  const sockets = socketsOf({ most: 2 });
  const [a, b, c, d] = [1, 2, 3, 4].map((port) => socket(port));
  assert.ok(a && b && c && d);
  sockets.add(a);
  const [first, second] = [sockets.spoke(a), sockets.spoke(a)]; // pipelined
  sockets.add(b);
  sockets.spoke(b);
  first!();
  sockets.add(c);
  assert.deepEqual([a, b, c].map(({ destroyed }) => destroyed), [false, false, true]);
  second!();
  sockets.add(d);
  assert.deepEqual([a, b, d].map(({ destroyed }) => destroyed), [true, false, false]);
});

Deno.test("OpenSockets.tick() cuts sockets that send much and no request", () => {
  const sockets = socketsOf({ most: 9 });
  const [fresh, asking, answered, early] = [1, 2, 3, 4].map((port) => socket(port));
  assert.ok(fresh && asking && answered && early);
  const all = [fresh, asking, answered, early];
  for (const one of all) sockets.add(one);
  sockets.spoke(asking);
  answered.bytesRead = 10 * SILENT_BYTES;
  sockets.spoke(answered)!();
  sockets.spoke(early)!(false); // the rest of its request may come
  const send = (bytes: number) => {
    for (const one of all) one.bytesRead += bytes;
    sockets.tick();
    return all.map(({ destroyed }) => destroyed);
  };
  assert.deepEqual(send(SILENT_BYTES), [false, false, false, false]);
  assert.deepEqual(send(1), [true, false, true, false]);
});

Deno.test("OpenSockets.tick() cuts sockets without a request for too long", () => {
  let nowMs = 0;
  const sockets = socketsOf({ most: 10, nowMs: () => nowMs });
  const [silent, spoke, late] = [1, 2, 3].map((port) => socket(port));
  assert.ok(silent && spoke && late);
  sockets.add(silent);
  sockets.add(spoke);
  sockets.spoke({ remoteAddress: "127.0.0.1", remotePort: 2, writableLength: 0 });
  nowMs = SILENT_MS - 1;
  sockets.add(late);
  sockets.tick();
  assert.equal(silent.destroyed, false);
  nowMs = SILENT_MS;
  sockets.tick();
  assert.deepEqual([silent, spoke, late].map(({ destroyed }) => destroyed), [true, false, false]);
});

Deno.test("OpenSockets.closing counts sockets that were cut until they are closed", async () => {
  const sockets = socketsOf({ most: 1 });
  const [cut, kept, refused] = [1, 2, 3].map((port) => new LingeringSocket(port)) as
    & LingeringSocket[]
    & CountedSocket[];
  assert.ok(cut && kept && refused);
  assert.equal(sockets.full, false);
  sockets.add(cut);
  assert.equal(sockets.full, true);
  sockets.add(kept);
  sockets.spoke(kept);
  sockets.add(refused);
  assert.deepEqual([cut, kept, refused].map(({ destroyed }) => destroyed), [true, false, true]);
  assert.deepEqual([sockets.size, sockets.closing], [1, 2]);
  let settled = false;
  const whenSettled = sockets.settled().then(() => settled = true);
  cut.emit("close");
  await Promise.resolve();
  assert.deepEqual([sockets.closing, settled], [1, false]);
  refused.emit("close");
  await whenSettled;
  assert.deepEqual([sockets.size, sockets.closing], [1, 0]);
});

Deno.test("OpenSockets.spoke() cuts a socket with too many requests ahead of their answers", () => {
  const sockets = socketsOf({ most: 2 });
  const [hasty, other] = [1, 2].map((port) => socket(port));
  assert.ok(hasty && other);
  sockets.add(hasty);
  sockets.add(other);
  const answered = Array.from({ length: MOST_PIPELINED }, () => sockets.spoke(hasty));
  answered[0]!();
  assert.ok(sockets.spoke(hasty));
  assert.equal(hasty.destroyed, false);
  assert.equal(sockets.spoke(hasty), undefined);
  assert.equal(sockets.spoke(hasty), undefined, "those that came with it");
  assert.deepEqual([hasty.destroyed, other.destroyed, sockets.size], [true, false, 1]);
});

Deno.test("OpenSockets.settled() waits for what closes, each time anew", async () => {
  const sockets = socketsOf({ most: 1 });
  await sockets.settled();
  const lingering = [1, 2, 3].map((port) => new LingeringSocket(port)) as
    & LingeringSocket[]
    & CountedSocket[];
  sockets.add(lingering[0]!);
  for (let i = 0; i < 2; i++) {
    sockets.add(lingering[i + 1]!); // cuts the one before
    let isSettled = false;
    const settled = sockets.settled().then(() => isSettled = true);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    assert.deepEqual([sockets.closing, isSettled], [1, false], `round ${i}`);
    lingering[i]!.emit("close");
    await settled;
  }
});

Deno.test("OpenSockets: a socket that comes from the port of a former one is another", () => {
  let nowMs = 0;
  const sockets = socketsOf({ most: 2, nowMs: () => nowMs });
  const [former, later] = [new LingeringSocket(1), new LingeringSocket(1)] as
    & LingeringSocket[]
    & CountedSocket[];
  sockets.add(former!);
  const answered = Array.from({ length: MOST_PIPELINED }, () => sockets.spoke(former!));
  former!.emit("close");
  assert.equal(sockets.size, 0);
  sockets.add(later!);
  const own = Array.from({ length: MOST_PIPELINED }, () => sockets.spoke(later!));
  for (const one of answered) one!(); // late answers to the former
  former!.emit("close");
  assert.equal(sockets.size, 1);
  nowMs = 2 * SILENT_MS;
  sockets.tick();
  assert.equal(later!.destroyed, false, "its own requests are under way");
  for (const one of own) one!();
  nowMs = 4 * SILENT_MS;
  sockets.tick();
  assert.equal(later!.destroyed, true);
});

Deno.test("OpenSockets.answered() waits for HTTP requests whose client is there", async () => {
  const sockets = socketsOf({ most: 3 });
  const [asking, leaving, streaming] = [1, 2, 3].map((port) => socket(port));
  for (const one of [asking!, leaving!, streaming!]) sockets.add(one);
  await sockets.answered();
  sockets.upgraded(streaming!);
  await sockets.answered();
  const answer = sockets.spoke(asking!)!;
  for (let i = 0; i < 2; i++) sockets.spoke(leaving!); // pipelined
  assert.equal(sockets.requests, 3);
  let isAnswered = false;
  const answered = sockets.answered().then(() => isAnswered = true);
  answer();
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assert.deepEqual([sockets.requests, isAnswered], [2, false]);
  leaving!.emit("close");
  await answered;
  streaming!.emit("close");
  assert.equal(sockets.requests, 0);
});

Deno.test("OpenSockets: of many that wait for answers, the address with most loses its newest", () => {
  const sockets = socketsOf({ most: 5 });
  const [own, stream, first, second, third, newcomer] = [
    socket(1, "10.0.0.1"),
    ...[2, 3, 4, 5].map((port) => socket(port, "10.0.0.9")),
    socket(6, "10.0.0.1"),
  ];
  for (const one of [own!, first!, second!, third!, stream!]) {
    sockets.add(one);
    if (one === stream) sockets.upgraded(one);
    else sockets.spoke(one);
  }
  sockets.add(newcomer!);
  sockets.spoke(newcomer!);
  const cut = () => [own, first, second, third, stream, newcomer].map((one) => one!.destroyed);
  assert.deepEqual(cut(), [false, false, false, true, false, false]);
  const greedy = socket(7, "10.0.0.9");
  sockets.add(greedy);
  assert.equal(greedy.destroyed, true);
  assert.deepEqual(cut(), [false, false, false, true, false, false]);
});

Deno.test("OpenSockets.tick() cuts sockets whose clients do not read their answers", () => {
  let nowMs = 0;
  const sockets = socketsOf({ most: 10, nowMs: () => nowMs });
  const [stuck, slow, stream] = [1, 2, 3].map((port) => socket(port));
  for (const one of [stuck!, slow!, stream!]) {
    sockets.add(one);
    if (one === stream) sockets.upgraded(one);
    else sockets.spoke(one);
    one.writableLength = 2 * LIMITS.leastBytesPerSecond;
  }
  sockets.tick();
  nowMs = STALL_MS + 1999; // two seconds for what was written at once
  sockets.tick();
  assert.equal(stuck!.destroyed, false);
  slow!.writableLength--;
  nowMs++;
  sockets.tick();
  assert.deepEqual([stuck, slow, stream].map((one) => one!.destroyed), [true, false, false]);
  slow!.writableLength = 0;
  for (let s = 0; s < 100; s++) {
    nowMs += 1000;
    sockets.tick();
  }
  assert.equal(slow!.destroyed, false, "it waits for an answer");
});

Deno.test("OpenSockets cuts a socket whose handshake comes to nothing", () => {
  let nowMs = 0;
  const sockets = socketsOf({ most: 10, nowMs: () => nowMs });
  const [failed, done] = [1, 2].map((port) => socket(port));
  for (const one of [failed!, done!]) sockets.add(one);
  nowMs = SILENT_MS - 1;
  for (const one of [failed!, done!]) sockets.shakesHands(one);
  sockets.upgraded(done!);
  nowMs++;
  sockets.tick();
  assert.equal(failed!.destroyed, false, "its time begins with the handshake");
  nowMs = 2 * SILENT_MS;
  sockets.tick();
  assert.deepEqual([failed!.destroyed, done!.destroyed], [true, false]);
});
