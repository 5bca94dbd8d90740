import assert from "node:assert/strict";
import { fulfils } from "../../client/receiver.ts";

Deno.test("fulfils() tells the answer to a change from one that a resume repeats", () => {
  const told = { output: ["context", "latent"], steps: [1, 3], every: 2 } as const;
  const selection = { ...told, output: [...told.output], steps: [...told.steps] };
  assert.ok(fulfils(selection, {}));
  assert.ok(fulfils(selection, { output: ["latent", "context"], steps: [3, 1], every: 2 }));
  assert.ok(!fulfils(selection, { every: 1 }));
  assert.ok(!fulfils(selection, { output: ["context"] }));
  assert.ok(!fulfils(selection, { output: ["context", "latent", "score"] }));
  assert.ok(!fulfils(selection, { output: ["context", "prediction"] }));
  assert.ok(!fulfils(selection, { steps: [1, 2] }));
});
