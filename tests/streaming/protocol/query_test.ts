import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError } from "../../../errors.ts";
import { parseStreamQuery, streamConfig } from "../../../streaming/protocol/query.ts";

const dims = { context: 6, latent: 8, steps: 3 };

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

Deno.test("parseStreamQuery() names what resume and received lack of each other", () => {
  for (const [given, lacks] of [["resume=abc", "received"], ["received=7", "resume"]] as const) {
    assert.throws(
      () => parseStreamQuery(new URLSearchParams(given)),
      (error: unknown) =>
        error instanceof CpcError && error.param === lacks &&
        error.message === `option ${given.split("=")[0]} requires ${lacks}`,
    );
  }
});
