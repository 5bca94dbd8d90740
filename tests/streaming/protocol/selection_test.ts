import assert from "node:assert/strict";
import { fadingHead } from "../../support/heads.ts";
import { selection } from "../../../streaming/protocol/selection.ts";

const dims = { context: 6, latent: 8, steps: 3 };
const tiny = { model: "tiny", dims, channels: 1 };

Deno.test("selection() keeps what is not named, in the protocol's order", () => {
  const current = { output: ["context"] as const, steps: [1, 2, 3], every: 2 };
  const changed = selection({ output: ["prediction", "latent"], steps: [3, 1] }, current, tiny);
  assert.deepEqual(changed, { output: ["latent", "prediction"], steps: [1, 3], every: 2 });
  assert.throws(() => selection({ steps: [4] }, current, tiny), {
    code: "invalid_option",
    param: "steps",
  });
  assert.throws(
    () => selection({ output: ["score"] }, current, { ...tiny, dims: { ...dims, steps: 0 } }),
    {
      code: "invalid_option",
      param: "output",
    },
  );
});

Deno.test("selection() takes heads last, and lists them for an unknown name", () => {
  const current = { output: ["context"] as const, steps: [1], every: 1 };
  const heads = [
    fadingHead({ dims: 6, name: "speech" }),
    fadingHead({ dims: 6, name: "turns", channels: 2 }),
  ];
  const mono = { ...tiny, heads };
  assert.deepEqual(
    selection({ output: ["head.speech", "latent"] }, current, mono).output,
    ["latent", "head.speech"],
  );
  const refused = { code: "invalid_option", param: "output" };
  assert.throws(() => selection({ output: ["head.words"] }, current, mono), {
    ...refused,
    message: /tiny has no head "words"; it has head.speech, head.turns/,
  });
  assert.throws(() => selection({ output: ["head.words"] }, current, tiny), {
    ...refused,
    message: /it has none/,
  });
  assert.throws(() => selection({ output: ["head.turns"] }, current, mono), {
    ...refused,
    message: /turns hears 2 channels: open the stream with channels=2 and split=1/,
  });
  assert.deepEqual(
    selection({ output: ["head.turns"] }, current, { ...mono, channels: 2 }).output,
    ["head.turns"],
  );
});
