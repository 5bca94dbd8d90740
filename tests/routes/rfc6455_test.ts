/**
 * RFC 6455, case by case: the groups 1 to 7 of the Autobahn test suite, written anew for a server
 * that answers marks instead of echoing.
 */
import assert from "node:assert/strict";
import { type RawFrame, rawFrame, RawSocket } from "../support/raw_socket.ts";
import { withServer } from "../support/stream_server.ts";

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];

/** What the server has heard of a case, told by the mark that follows it. */
interface Heard {
  /** Samples of binary messages. */
  readonly samples?: number;
  /** Ids of the case's own marks. */
  readonly ids?: readonly unknown[];
  /** Payloads of pongs. */
  readonly pongs?: readonly string[];
}

/** A case: the frames sent, and what was heard of them or the code of the server's close frame. */
interface Case {
  readonly name: string;
  readonly frames: readonly RawFrame[];
  readonly expected: Heard | number;
  /** Bytes sent at once (default: each frame). */
  readonly chop?: number;
}

const mark = (id: unknown) => JSON.stringify({ type: "mark", id });
const markFrame = (id: unknown): RawFrame => ({ opcode: TEXT, payload: mark(id) });
const audio = (bytes: number): RawFrame => ({
  opcode: BINARY,
  payload: new Uint8Array(bytes),
  ...(bytes > 65_535 ? { claims: BigInt(bytes) } : {}),
});
/** A mark whose whole message has so many bytes. */
const markOf = (bytes: number): { frame: RawFrame; id: string } => {
  const id = "x".repeat(bytes - mark("").length);
  const claims = bytes > 65_535 ? { claims: BigInt(bytes) } : {};
  return { frame: { ...markFrame(id), ...claims }, id };
};
const closeFrame = (code: number, reason: string | Uint8Array = ""): RawFrame => {
  const bytes = typeof reason === "string" ? new TextEncoder().encode(reason) : reason;
  return { opcode: CLOSE, payload: Uint8Array.of(code >> 8, code & 255, ...bytes) };
};
/** Bytes as a text message in fragments of these lengths (the rest in the last). */
const fragments = (opcode: number, bytes: Uint8Array, lengths: readonly number[]): RawFrame[] => {
  const frames: RawFrame[] = [];
  let at = 0;
  for (const length of [...lengths, bytes.length]) {
    const payload = bytes.subarray(at, at + length);
    at += length;
    frames.push({ opcode: at === length ? opcode : CONTINUATION, payload, fin: false });
    if (at >= bytes.length) break;
  }
  return frames.map((frame, i) => ({ ...frame, fin: i === frames.length - 1 }));
};
const utf8 = (text: string) => new TextEncoder().encode(text);
const inMark = (...bytes: number[]) =>
  Uint8Array.of(...utf8('{"type":"mark","id":"'), ...bytes, ...utf8('"}'));

const FRAMING_SIZES = [125, 126, 127, 128, 65_535, 65_536];

const FRAMING: Case[] = [
  { name: "1.1.1 text of 0 bytes is no JSON", frames: [{ opcode: TEXT }], expected: 1007 },
  ...FRAMING_SIZES.map((bytes): Case => {
    const { frame, id } = markOf(bytes);
    return { name: `1.1 text of ${bytes} bytes`, frames: [frame], expected: { ids: [id] } };
  }),
  ...[1, 997].map((chop): Case => {
    const { frame, id } = markOf(chop === 1 ? 4_096 : 65_536);
    const name = `1.1.8 text in chops of ${chop} bytes`;
    return { name, frames: [frame], chop, expected: { ids: [id] } };
  }),
  { name: "1.2.1 binary of 0 bytes", frames: [audio(0)], expected: { samples: 0 } },
  ...FRAMING_SIZES.map((bytes): Case => ({
    name: `1.2 binary of ${bytes} bytes`,
    frames: [audio(bytes)],
    expected: { samples: Math.floor(bytes / 2) },
  })),
  {
    name: "1.2.8 binary in chops of 997 bytes",
    frames: [audio(65_536)],
    chop: 997,
    expected: { samples: 32_768 },
  },
];

const PINGS: Case[] = [
  { name: "2.1 ping without payload", frames: [{ opcode: PING }], expected: { pongs: [""] } },
  {
    name: "2.2 ping with payload",
    frames: [{ opcode: PING, payload: "Hello" }],
    expected: { pongs: ["Hello"] },
  },
  {
    name: "2.3 ping with a payload that is no text",
    frames: [{ opcode: PING, payload: Uint8Array.of(0, 255, 254, 253) }],
    expected: { pongs: ["\u0000\u00ff\u00fe\u00fd"] },
  },
  {
    name: "2.4 ping of 125 bytes",
    frames: [{ opcode: PING, payload: "p".repeat(125) }],
    expected: { pongs: ["p".repeat(125)] },
  },
  {
    name: "2.5 ping of 126 bytes",
    frames: [{ opcode: PING, payload: "p".repeat(126) }],
    expected: 1002,
  },
  {
    name: "2.6 ping of 125 bytes, byte by byte",
    frames: [{ opcode: PING, payload: "p".repeat(125) }],
    chop: 1,
    expected: { pongs: ["p".repeat(125)] },
  },
  { name: "2.7 unasked pong", frames: [{ opcode: PONG }], expected: { pongs: [] } },
  {
    name: "2.8 unasked pong with payload",
    frames: [{ opcode: PONG, payload: "unasked" }],
    expected: { pongs: [] },
  },
  {
    name: "2.9 unasked pong, then a ping",
    frames: [{ opcode: PONG, payload: "unasked" }, { opcode: PING, payload: "asked" }],
    expected: { pongs: ["asked"] },
  },
  ...[undefined, 1].map((chop): Case => ({
    name: `2.${chop ? 11 : 10} ten pings${chop ? ", byte by byte" : ""}`,
    frames: Array.from({ length: 10 }, (_, i) => ({ opcode: PING, payload: `ping ${i}` })),
    chop,
    expected: { pongs: Array.from({ length: 10 }, (_, i) => `ping ${i}`) },
  })),
];

const RESERVED: Case[] = [
  ...[1, 2, 3, 4, 5, 6, 7].map((rsv): Case => ({
    name: `3.${rsv} reserved bits ${rsv}`,
    frames: [{ ...markFrame("m"), rsv }],
    expected: 1002,
  })),
  {
    name: "3.8 reserved bits in a ping after a message",
    frames: [audio(4), { opcode: PING, rsv: 1 }],
    expected: 1002,
  },
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode): Case[] => [
    { name: `4 opcode ${opcode}`, frames: [{ opcode }], expected: 1002 },
    {
      name: `4 opcode ${opcode} with payload, between messages`,
      frames: [audio(4), { opcode, payload: "reserved" }, audio(4)],
      expected: 1002,
    },
  ]),
];

const FRAGMENTS: Case[] = [
  {
    name: "5.1 ping in two fragments",
    frames: [{ opcode: PING, payload: "a", fin: false }, { opcode: CONTINUATION, payload: "b" }],
    expected: 1002,
  },
  {
    name: "5.2 pong in two fragments",
    frames: [{ opcode: PONG, payload: "a", fin: false }, { opcode: CONTINUATION, payload: "b" }],
    expected: 1002,
  },
  {
    name: "5.3 text in two fragments",
    frames: fragments(TEXT, utf8(mark("two")), [7]),
    expected: { ids: ["two"] },
  },
  {
    name: "5.5 text in two fragments, byte by byte",
    frames: fragments(TEXT, utf8(mark("two")), [7]),
    chop: 1,
    expected: { ids: ["two"] },
  },
  {
    name: "5.6 ping between two fragments",
    frames: fragments(TEXT, utf8(mark("two")), [7]).toSpliced(1, 0, {
      opcode: PING,
      payload: "between",
    }),
    expected: { ids: ["two"], pongs: ["between"] },
  },
  ...[true, false].map((fin): Case => ({
    name: `5.9 continuation of nothing, ${fin ? "the last" : "not the last"}`,
    frames: [{ opcode: CONTINUATION, payload: "nothing", fin }, markFrame("m")],
    expected: 1002,
  })),
  {
    name: "5.15 continuation after a message in fragments",
    frames: [...fragments(TEXT, utf8(mark("two")), [7]), {
      opcode: CONTINUATION,
      payload: "more",
      fin: false,
    }],
    expected: 1002,
  },
  {
    name: "5.18 text within a text in fragments",
    frames: [{ opcode: TEXT, payload: mark("a").slice(0, 5), fin: false }, markFrame("b")],
    expected: 1002,
  },
  {
    name: "5.19 pings within a text in five fragments",
    frames: [...fragments(TEXT, utf8(mark("five")), [3, 3, 3, 3])].flatMap((frame, i) => [
      frame,
      ...(i === 1 || i === 3 ? [{ opcode: PING, payload: `ping ${i}` }] : []),
    ]),
    expected: { ids: ["five"], pongs: ["ping 1", "ping 3"] },
  },
  {
    name: "5.20 audio in fragments, one of them empty",
    frames: fragments(BINARY, new Uint8Array(101), [40, 0, 1]),
    expected: { samples: 50 },
  },
];

/** UTF-8 of 1 to 4 bytes, at the edges of what there is. */
const VALID_TEXTS = [
  "κόσμε",
  "\u0080",
  "\u0800",
  "\u{10000}",
  "\u007f",
  "\u07ff",
  "\ud7ff",
  "\ue000",
  "\ufffd",
  "\uffff",
  "\u{10ffff}",
  "Hello-µ@ßöäüàá-UTF-8!!",
];
const INVALID_BYTES: [what: string, bytes: number[]][] = [
  ["a surrogate", [0xed, 0xa0, 0x80]],
  ["a pair of surrogates", [0xed, 0xa0, 0x81, 0xed, 0xb0, 0x81]],
  ["beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
  ["5 bytes", [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ["6 bytes", [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]],
  ["a lone continuation", [0x80]],
  ["64 lone continuations", Array.from({ length: 64 }, (_, i) => 0x80 + i)],
  ["a first byte of 2 alone", [0xc3, 0x20]],
  ["a first byte of 3 alone", [0xe2, 0x20]],
  ["3 of 4 bytes", [0xf0, 0x90, 0x80]],
  ["overlong in 2 bytes", [0xc0, 0xaf]],
  ["overlong in 3 bytes", [0xe0, 0x80, 0xaf]],
  ["overlong in 4 bytes", [0xf0, 0x80, 0x80, 0xaf]],
  ["overlong NUL", [0xc0, 0x80]],
  ["FE", [0xfe]],
  ["FF", [0xff]],
  ["FE FE FF FF", [0xfe, 0xfe, 0xff, 0xff]],
];

const UTF8: Case[] = [
  ...VALID_TEXTS.flatMap((id): Case[] => [
    { name: `6 valid ${JSON.stringify(id)}`, frames: [markFrame(id)], expected: { ids: [id] } },
    {
      name: `6 valid ${JSON.stringify(id)}, a fragment for each byte`,
      frames: fragments(TEXT, utf8(mark(id)), Array(80).fill(1)),
      expected: { ids: [id] },
    },
  ]),
  ...INVALID_BYTES.flatMap(([what, bytes]): Case[] => [
    {
      name: `6 invalid: ${what}`,
      frames: [{ opcode: TEXT, payload: inMark(...bytes) }],
      expected: 1007,
    },
    {
      name: `6 invalid: ${what}, in fragments`,
      frames: fragments(TEXT, inMark(...bytes), [inMark().length - 1]),
      expected: 1007,
    },
  ]),
];

const GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const BAD_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535];

const CLOSES: Case[] = [
  { name: "7.1.1 a message, then close", frames: [audio(4), closeFrame(1000)], expected: 1000 },
  {
    name: "7.1.2 two closes",
    frames: [closeFrame(1000), closeFrame(1000)],
    expected: 1000,
  },
  {
    name: "7.1.3 a ping after close is not answered",
    frames: [closeFrame(1000), { opcode: PING, payload: "late" }],
    expected: 1000,
  },
  {
    name: "7.1.4 text after close is not heard",
    frames: [closeFrame(1000), { opcode: TEXT, payload: "no JSON" }],
    expected: 1000,
  },
  {
    name: "7.1.5 close within a message in fragments",
    frames: [{ opcode: TEXT, payload: "{", fin: false }, closeFrame(1000)],
    expected: 1000,
  },
  { name: "7.3.1 close without payload", frames: [{ opcode: CLOSE }], expected: 1005 },
  {
    name: "7.3.2 close of one byte",
    frames: [{ opcode: CLOSE, payload: Uint8Array.of(3) }],
    expected: 1002,
  },
  {
    name: "7.3.5 close with a reason of 123 bytes",
    frames: [closeFrame(1000, "r".repeat(123))],
    expected: 1000,
  },
  {
    name: "7.3.6 close with a reason of 124 bytes",
    frames: [closeFrame(1000, "r".repeat(124))],
    expected: 1002,
  },
  {
    name: "7.5.1 close with a reason that is not UTF-8",
    frames: [closeFrame(1000, Uint8Array.of(0xce, 0xba, 0xed, 0xa0, 0x80))],
    expected: 1007,
  },
  ...GOOD_CODES.map((code): Case => ({
    name: `7.7 close with ${code}`,
    frames: [closeFrame(code)],
    expected: code,
  })),
  ...BAD_CODES.flatMap((code): Case[] => [
    { name: `7.9 close with ${code}`, frames: [closeFrame(code)], expected: 1002 },
    {
      name: `7.9 close with ${code} and a reason`,
      frames: [closeFrame(code, "reason")],
      expected: 1002,
    },
  ]),
];

for (
  const [group, cases] of [
    ["1 framing", FRAMING],
    ["2 pings and pongs", PINGS],
    ["3, 4 reserved bits and opcodes", RESERVED],
    ["5 fragments", FRAGMENTS],
    ["6 UTF-8", UTF8],
    ["7 close", CLOSES],
  ] as const
) {
  Deno.test(`stream: RFC 6455, ${group}: ${cases.length} cases`, async () => {
    await withServer({ limits: { maxStreams: 1000 } }, async (server) => {
      for (const { name, frames, expected, chop } of cases) {
        const { raw } = await RawSocket.open(server.port);
        await raw.next("ready");
        for (const frame of frames) {
          const bytes = rawFrame(frame);
          for (let at = 0; at < bytes.length; at += chop ?? bytes.length) {
            raw.send(bytes.subarray(at, at + (chop ?? bytes.length)));
          }
        }
        if (typeof expected === "number") {
          assert.equal(await raw.closed(), expected, name);
          assert.deepEqual(raw.pongs(), [], name);
          await server.settled();
          continue;
        }
        raw.send(rawFrame(markFrame("last of the case")));
        const last = await raw.nextMark("last of the case");
        assert.deepEqual(last.ids, expected.ids ?? [], name);
        assert.equal(last.samples, expected.samples ?? 0, name);
        assert.deepEqual(raw.pongs(), expected.pongs ?? [], name);
        raw.send(rawFrame(closeFrame(1000)));
        assert.equal(await raw.closed(), 1000, name);
        await server.settled();
      }
      assert.equal(server.pool.streams, 0);
    });
  });
}
