import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError, ERROR_CODES } from "../../../errors.ts";
import {
  clientMessageSchema,
  parseClientMessage,
} from "../../../streaming/protocol/client_messages.ts";
import { serverMessageSchemas } from "../../../streaming/protocol/messages.ts";
import { streamQuerySchema } from "../../../streaming/protocol/query.ts";

const page = Deno.readTextFileSync(new URL("../../../docs/protocol.md", import.meta.url));

Deno.test("parseClientMessage() refuses with 1007 or 4400, or gives a message", () => {
  const text = fc.oneof(fc.string(), fc.json(), fc.json().map((x) => `{"type":"mark","id":${x}}`));
  fc.assert(fc.property(text, (text) => {
    try {
      assert.equal(typeof parseClientMessage(text).type, "string");
    } catch (error) {
      assert.ok(
        error instanceof CpcError && ["invalid_json", "invalid_message"].includes(error.code),
        String(error),
      );
      assert.equal(error.close, error.code === "invalid_json" ? 1007 : 4400);
    }
  }));
});

Deno.test("docs/protocol.md names every option, message, warning and close code", () => {
  const names = [
    ...Object.keys(streamQuerySchema.shape),
    ...clientMessageSchema.options.map((option) => option.shape.type.value),
    ...Object.keys(serverMessageSchemas),
    ...serverMessageSchemas.warning.shape.code.options,
    ...Object.keys(serverMessageSchemas.done.shape.stats.shape),
    ...Object.keys(serverMessageSchemas.ready.shape),
  ];
  for (const name of names) {
    assert.ok(
      page.includes(`\`${name}\``) || page.includes(`"${name}"`),
      `${name} is not in the page`,
    );
  }
  for (const close of new Set(Object.values(ERROR_CODES).map(({ close }) => close))) {
    assert.match(page, new RegExp(`\\| ${close} `));
  }
});

Deno.test("parseClientMessage() says what is wrong, the bound and what was given", () => {
  const known = "a text message is an object whose type is one of mark, reset, update, " +
    "keep_alive, finish";
  for (
    const [message, why] of [
      [null, `${known}, got null`],
      [{ type: "stop" }, `${known}, got "stop"`],
      [{ type: "reset", now: 1 }, "unknown member now"],
      [{ type: "update", every: 0 }, "member every: must be 1 or more, got 0"],
      [{ type: "update", every: "2" }, 'member every: must be a number, got "2"'],
      [{ type: "update", steps: [] }, "member steps: must not be empty, got []"],
      [{ type: "update", steps: [1, 0] }, "member steps.1: must be 1 or more, got [1,0]"],
      [
        { type: "update", output: ["sound"] },
        'member output.0: takes context, latent, prediction, score and head.NAME, got ["sound"]',
      ],
    ] as const
  ) {
    assert.throws(() => parseClientMessage(JSON.stringify(message)), {
      code: "invalid_message",
      message: `message not understood: ${why}`,
    });
  }
});

Deno.test("parseClientMessage() refuses long lists and many members at once", () => {
  const long = Array(1000).fill("x");
  for (
    const [message, what] of [
      [{ type: "update", steps: long }, "steps"],
      [{ type: "update", output: long }, "output"],
      [Object.fromEntries(long.map((_, i) => [`m${i}`, i])), "the message"],
      [long, "the message"],
    ] as const
  ) {
    assert.throws(
      () => parseClientMessage(JSON.stringify(message)),
      (error: Error) =>
        error.message === `message not understood: ${what} may have up to 128 members`,
    );
  }
  const mark = { type: "mark", id: Array(1_000).fill(1) };
  assert.deepEqual(parseClientMessage(JSON.stringify(mark)), mark, "an id may be long");
});

Deno.test("parseClientMessage() parses nothing that would take long", () => {
  const fits = [
    { type: "mark", id: Array(19_000).fill(0) },
    { type: "mark", id: Object.fromEntries(Array.from({ length: 1022 }, (_, i) => [`k${i}`, i])) },
    { type: "mark", id: "[,:{".repeat(100_000) },
  ];
  for (const mark of fits) assert.deepEqual(parseClientMessage(JSON.stringify(mark)), mark);
  const large = [
    Array(20_002).fill([]),
    Object.fromEntries(Array.from({ length: 1023 }, (_, i) => [`k${i}`, i])),
  ];
  for (const id of large) {
    assert.throws(() => parseClientMessage(JSON.stringify({ type: "mark", id })), {
      code: "invalid_message",
      message: /holds up to 20000 items and 1024 members of objects/,
    });
  }
  assert.throws(() => parseClientMessage("[".repeat(500_000)), { code: "invalid_message" });
});
