import assert from "node:assert/strict";
import { allSteps, checkAsked, wantOf } from "../../inference/want.ts";

Deno.test("wantOf() gives the steps to the outputs that have some", () => {
  const asked = { steps: [1, 3], every: 2 };
  const nothing = { context: false, latent: false, prediction: [], score: [], every: 2 };
  assert.deepEqual(wantOf({ ...asked, output: ["context", "latent"] }), {
    ...nothing,
    context: true,
    latent: true,
  });
  assert.deepEqual(wantOf({ ...asked, output: ["prediction"] }), {
    ...nothing,
    prediction: [1, 3],
  });
  assert.deepEqual(wantOf({ ...asked, output: ["score"] }), { ...nothing, score: [1, 3] });
});

Deno.test("checkAsked() takes 1 to K, and refuses a step beyond and what needs predictors", () => {
  assert.deepEqual(allSteps({ steps: 3 }), [1, 2, 3]);
  checkAsked({ output: ["prediction", "score"], steps: allSteps({ steps: 3 }) }, { steps: 3 });
  checkAsked({ output: ["context"] }, { steps: 0 });
  assert.throws(() => checkAsked({ output: ["context"], steps: [2, 4] }, { steps: 3 }), {
    code: "invalid_option",
    param: "steps",
    message: /takes 1 to 3 for this model, got 4/,
  });
  assert.throws(() => checkAsked({ output: ["context"], steps: [1] }, { steps: 0 }), {
    code: "invalid_option",
    param: "steps",
    message: /no predictors: leave out option steps/,
  });
  for (const output of ["prediction", "score"] as const) {
    assert.throws(() => checkAsked({ output: ["context", output] }, { steps: 0 }), {
      code: "invalid_option",
      param: "output",
    });
  }
});
