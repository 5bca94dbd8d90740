import assert from "node:assert/strict";
import fc from "fast-check";
import { CpcError } from "../../../errors.ts";
import { parseStreamQuery, streamConfig } from "../../../streaming/protocol/query.ts";

const dims = { context: 6, latent: 8, steps: 3 };

Deno.test("parseStreamQuery() refuses with a CpcError, or gives options", () => {
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

Deno.test("parseStreamQuery() takes each number from its least to its most", () => {
  const bounds = {
    sample_rate: [8_000, 96_000],
    channels: [1, 8],
    every: [1, 1_000_000],
    steps: [1, 128],
  };
  const taken = (name: string, value: number | string) => {
    try {
      parseStreamQuery(new URLSearchParams({ [name]: String(value) }));
      return true;
    } catch (error) {
      assert.ok(error instanceof CpcError && error.param === name);
      return false;
    }
  };
  for (const [name, [least, most]] of Object.entries(bounds)) {
    const around = [least! - 1, least!, most!, most! + 1].map((value) => taken(name, value));
    assert.deepEqual(around, [false, true, true, false], name);
  }
  assert.deepEqual([0, 1, 200, 201].map((length) => taken("model", "m".repeat(length))), [
    false,
    true,
    true,
    false,
  ]);
  const resumed = (token: string, received: number) =>
    parseStreamQuery(new URLSearchParams({ resume: token, received: String(received) }));
  assert.deepEqual(resumed("t", 0), { resume: "t", received: 0 });
  assert.deepEqual(resumed("t", 999_999_999).received, 999_999_999);
  for (const [token, received] of [["", 0], ["t", -1], ["t", 1_000_000_000]] as const) {
    assert.throws(() => resumed(token, received), CpcError);
  }
});
