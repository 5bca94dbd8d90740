import assert from "node:assert/strict";
import { once } from "node:events";
import { heardFrames } from "../support/stream_client.ts";
import { type RawFrame, rawFrame, RawSocket } from "../support/raw_socket.ts";
import { WIDTHS, withServer } from "../support/stream_server.ts";
import { assertFrames, chunksOf, noise, truthOf } from "../support/stream_truth.ts";

const [CONTINUATION, TEXT, BINARY, CLOSE, PING] = [0, 1, 2, 8, 9];
const MARK = `{"type":"mark"}`;
const NOT_UTF8 = Uint8Array.of(0x22, 0xc3, 0x28, 0x22);

/** Frames that RFC 6455 forbids or this server does not take, and what they end in. */
const MALFORMED: [what: string, frames: RawFrame[], code: number][] = [
  ["not masked", [{ opcode: TEXT, payload: MARK, masked: false }], 1002],
  ["compressed without an extension", [{ opcode: TEXT, payload: MARK, rsv: 4 }], 1002],
  ["reserved bit 2", [{ opcode: BINARY, payload: "ab", rsv: 2 }], 1002],
  ["reserved bit 3", [{ opcode: BINARY, payload: "ab", rsv: 1 }], 1002],
  ["reserved data opcode", [{ opcode: 3, payload: "ab" }], 1002],
  ["reserved control opcode", [{ opcode: 11 }], 1002],
  ["ping in fragments", [{ opcode: PING, fin: false }], 1002],
  ["ping of 126 bytes", [{ opcode: PING, payload: new Uint8Array(126) }], 1002],
  ["continuation of nothing", [{ opcode: CONTINUATION, payload: "ab" }], 1002],
  ["message within a message", [{ opcode: BINARY, payload: "ab", fin: false }, {
    opcode: TEXT,
    payload: MARK,
  }], 1002],
  ["close of one byte", [{ opcode: CLOSE, payload: Uint8Array.of(3) }], 1002],
  ["close with a code that may not be sent", [{
    opcode: CLOSE,
    payload: Uint8Array.of(1005 >> 8, 1005 & 255),
  }], 1002],
  ["close with a reason that is not UTF-8", [{
    opcode: CLOSE,
    payload: Uint8Array.of(1000 >> 8, 1000 & 255, 0xff),
  }], 1007],
  ["text that is not UTF-8", [{ opcode: TEXT, payload: NOT_UTF8 }], 1007],
  [
    "text that is not UTF-8, in fragments",
    [{ opcode: TEXT, payload: NOT_UTF8.subarray(0, 2), fin: false }, {
      opcode: CONTINUATION,
      payload: NOT_UTF8.subarray(2),
    }],
    1007,
  ],
  ["claims more than the limit", [{ opcode: BINARY, claims: 4097n }], 1009],
  ["claims 2^53 bytes", [{ opcode: BINARY, claims: 2n ** 53n }], 1009],
  ["claims all that 64 bits can", [{ opcode: BINARY, claims: 2n ** 64n - 1n }], 1009],
  [
    "fragments beyond the limit",
    [{ opcode: BINARY, payload: new Uint8Array(3000), fin: false }, {
      opcode: CONTINUATION,
      payload: new Uint8Array(3000),
    }],
    1009,
  ],
];

Deno.test("stream: malformed frames end their stream in 1002, 1007 or 1009, alone", async () => {
  await withServer({ limits: { maxMessageBytes: 4096, maxStreams: 100 } }, async (server) => {
    const { bytes, samples } = noise(20_000, 1);
    const neighbour = server.connect("output=context,latent");
    await neighbour.next("ready");
    const chunks = [...chunksOf(bytes, { longest: 3000, seed: 1 })];
    for (const [i, [what, frames, code]] of MALFORMED.entries()) {
      neighbour.send(chunks[i]);
      const { raw } = await RawSocket.open(server.port);
      const { resume } = await raw.next("ready");
      raw.send(
        rawFrame({ opcode: BINARY, payload: bytes.subarray(0, 2000) }),
        ...frames.map(rawFrame),
      );
      assert.equal(await raw.closed(), code, what);
      if (frames[0].opcode === CLOSE) continue;
      while (server.hub.size > 1) await neighbour.mark(); // until the server has seen the end
      const again = server.connect(`resume=${resume}&received=0`);
      assert.equal((await again.next("ready")).samples, 1000, `${what}: the session is kept`);
      again.socket.close(1000);
      await again.closed();
    }
    for (const chunk of chunks.slice(MALFORMED.length)) neighbour.send(chunk);
    neighbour.send({ type: "finish" });
    assert.equal(await neighbour.closed(), 1000);
    assertFrames(heardFrames(neighbour.came, WIDTHS), truthOf(samples), {
      output: ["context", "latent"],
    });
    await server.settled();
    assert.equal(server.pool.streams, 0);
  });
});

Deno.test("stream: a socket that ends within a frame keeps its session", async () => {
  await withServer({}, async (server) => {
    const whole = rawFrame({ opcode: BINARY, payload: new Uint8Array(400) });
    for (let at = 1; at < whole.length; at += 57) {
      const { raw } = await RawSocket.open(server.port);
      const { resume } = await raw.next("ready");
      raw.send(whole, whole.subarray(0, at));
      raw.socket.end();
      await raw.closed();
      await server.settled();
      const again = server.connect(`resume=${resume}&received=0`);
      assert.equal((await again.next("ready")).samples, 200);
      await again.terminate();
      await server.settled();
    }
  });
});

Deno.test("stream: fragments with pings between them are one message", async () => {
  await withServer({}, async (server) => {
    const { raw } = await RawSocket.open(server.port);
    await raw.next("ready");
    const frames = [
      rawFrame({ opcode: BINARY, payload: new Uint8Array(101), fin: false }),
      rawFrame({ opcode: PING, payload: "still there?" }),
      rawFrame({ opcode: CONTINUATION, payload: new Uint8Array(0), fin: false }),
      rawFrame({ opcode: CONTINUATION, payload: new Uint8Array(99) }),
      rawFrame({ opcode: TEXT, payload: `{"type":`, fin: false }),
      rawFrame({ opcode: CONTINUATION, payload: `"mark","id":"ä"}` }),
    ];
    for (const frame of frames) for (const byte of frame) raw.send(Uint8Array.of(byte));
    assert.deepEqual(await raw.next("marked"), {
      type: "marked",
      id: "ä",
      samples: 100,
      frames: 0,
    });
    raw.send(rawFrame({ opcode: CLOSE, payload: Uint8Array.of(1000 >> 8, 1000 & 255) }));
    assert.equal(await raw.closed(), 1000);
  });
});

Deno.test("stream: handshakes that are none are refused over HTTP", async () => {
  await withServer({}, async (server) => {
    const cases: [Record<string, string>, number][] = [
      [{ "Sec-WebSocket-Key": "" }, 400],
      [{ "Sec-WebSocket-Key": "too short" }, 400],
      [{ "Sec-WebSocket-Version": "12" }, 400],
      [{ "Sec-WebSocket-Protocol": "cpc.v1, bearer.a/b=" }, 400],
      [{ "Sec-WebSocket-Protocol": "cpc.v1, cpc.v1" }, 400],
      [{ Upgrade: "h2c" }, 426],
    ];
    for (const [headers, expected] of cases) {
      const { raw, status } = await RawSocket.open(server.port, { headers });
      assert.equal(status, expected, JSON.stringify(headers));
      raw.socket.destroy();
      await raw.closed();
    }
    assert.equal(server.hub.size, 0);
  });
});

Deno.test("stream: a client that never answers a close is cut after 5 s", async () => {
  const { setTimeout } = globalThis;
  const closing: number[] = [];
  await withServer({}, async (server) => {
    const { raw } = await RawSocket.open(server.port);
    await raw.next("ready");
    globalThis.setTimeout = ((work: () => void, ms: number) => {
      if (ms !== 5000) return setTimeout(work, ms);
      closing.push(ms);
      return setTimeout(work, 0);
    }) as typeof setTimeout;
    try {
      raw.send(rawFrame({ opcode: TEXT, payload: "no JSON" }));
      await once(raw.socket, "close");
    } finally {
      globalThis.setTimeout = setTimeout;
    }
    assert.equal(await raw.closed(), 1007);
    assert.deepEqual(closing, [5000]);
  });
});
