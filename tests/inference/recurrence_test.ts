import assert from "node:assert/strict";
import { Recurrence } from "../../inference/recurrence.ts";
import { modelLayout } from "../../model/engine.ts";
import { referenceForward } from "../../model/reference.ts";
import { seeded } from "../../model/seeded.ts";
import { maxDifference } from "../support/golden.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";

const weights = randomWeights(tinyConfig, 9, "tiny");
const { dims: { latent: Z, context: C }, contextFloats } = modelLayout(tinyConfig);

Deno.test("Recurrence.run() goes on from state to state, and names what failed", async () => {
  const next = seeded(4);
  const { latent, context } = referenceForward(
    weights,
    Float32Array.from({ length: 8000 }, () => next() - 0.5),
  );
  const recurrence = new Recurrence([weights]);
  try {
    let state: Float32Array = new Float32Array(contextFloats);
    const run = (from: number, to: number) =>
      recurrence.run({
        model: "tiny",
        latent: Float32Array.from(latent.data.slice(from * Z, to * Z)),
        state,
      });
    for (const [from, to] of [[0, 20], [20, 21], [21, context.frames]]) {
      const done = await run(from, to);
      assert.deepEqual(done.latent, Float32Array.from(latent.data.slice(from * Z, to * Z)));
      assert.ok(maxDifference(done.context, context.data.slice(from * C, to * C)) <= 1e-4);
      state = done.state;
    }
    const unknown = recurrence.run({ model: "other", latent: new Float32Array(Z), state });
    const known = run(0, 1); // asked at the same time
    await assert.rejects(unknown, {
      code: "model_failed",
      message: /^the context network failed: /,
    });
    assert.equal((await known).context.length, C);
  } finally {
    await recurrence.close();
  }
});

Deno.test("Recurrence.close() ends what never began", async () => {
  await new Recurrence([weights]).close();
});

Deno.test("Recurrence.close() waits for a thread that was started again", async () => {
  const recurrence = new Recurrence([weights]);
  const run = () =>
    recurrence.run({
      model: "tiny",
      latent: new Float32Array(Z),
      state: new Float32Array(contextFloats),
    });
  await run();
  recurrence.models = [undefined as never]; // breaks the thread
  await assert.rejects(run(), { code: "model_failed" });
  recurrence.models = [weights];
  const asked = run();
  await recurrence.close();
  const first = await Promise.race([asked, Promise.resolve("not yet")]);
  assert.notEqual(first, "not yet", "closed before it had done what it was asked");
});
