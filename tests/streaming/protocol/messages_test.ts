import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError, ERROR_CODES } from "../../../errors.ts";
import {
  clientMessageSchema,
  parseClientMessage,
  serverMessageSchemas,
} from "../../../streaming/protocol/messages.ts";
import {
  parseStreamQuery,
  selection,
  streamConfig,
  streamQuerySchema,
  wantOf,
} from "../../../streaming/protocol/options.ts";

const dims = { context: 6, latent: 8, steps: 3 };
const page = Deno.readTextFileSync(new URL("../../../docs/protocol.md", import.meta.url));

Deno.test("parseStreamQuery() refuses with a CpcError or gives options of the protocol, whatever it is given", () => {
  const name = fc.constantFrom(
    "model",
    "encoding",
    "sample_rate",
    "channels",
    "output",
    "steps",
    "every",
    "dtype",
    "__proto__",
    "x",
  );
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom("1", "16000", "f32", "context,latent", "1,2", "s16le", "-1", "1e3", "٣"),
  );
  fc.assert(fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), (pairs) => {
    try {
      const config = streamConfig(parseStreamQuery(new URLSearchParams(pairs)), {
        model: "m",
        dims,
      });
      assert.ok(
        config.sample_rate >= 8000 && config.sample_rate <= 96000 && config.channels >= 1 &&
          config.every >= 1,
      );
    } catch (error) {
      assert.ok(
        error instanceof CpcError && error.code === "invalid_option" && error.close === 4400,
        String(error),
      );
    }
  }));
});

Deno.test("parseClientMessage() refuses with 1007 or 4400 or gives a message, whatever it is given", () => {
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

Deno.test("selection() keeps what an update does not name; outputs and steps come in the protocol's order", () => {
  const current = { output: ["context"] as const, steps: [1, 2, 3], every: 2 };
  const changed = selection({ output: ["prediction", "latent"], steps: [3, 1] }, current, dims);
  assert.deepEqual(changed, { output: ["latent", "prediction"], steps: [1, 3], every: 2 });
  assert.deepEqual(wantOf(changed), {
    context: false,
    latent: true,
    prediction: [1, 3],
    score: [],
    every: 2,
  });
  assert.throws(() => selection({ steps: [4] }, current, dims), {
    code: "invalid_option",
    param: "steps",
  });
  assert.throws(() => selection({ output: ["score"] }, current, { ...dims, steps: 0 }), {
    code: "invalid_option",
    param: "output",
  });
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
