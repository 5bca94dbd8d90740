import assert from "node:assert/strict";
import { DecodeBudget } from "../../recordings/decode_budget.ts";

Deno.test("DecodeBudget bounds a request's seconds and samples, and its owner's", () => {
  const budget = new DecodeBudget({
    request: { seconds: 10, samples: 1000 },
    owner: { seconds: 15, samples: 1500 },
  });
  const [a, b, other] = [budget.share("a"), budget.share("a"), budget.share("b")];
  a.take({ seconds: 10, samples: 100 });
  assert.throws(() => a.check({ seconds: 1, samples: 0 }), { code: "too_large" });
  assert.throws(() => a.take({ seconds: 0, samples: 901 }), { code: "too_large" });
  b.take({ seconds: 5, samples: 1000 });
  assert.throws(() => b.check({ seconds: 1, samples: 0 }), { code: "rate_limited" });
  other.take({ seconds: 10, samples: 1000 });
  a.giveBack();
  a.giveBack();
  b.take({ seconds: 5, samples: 0 });
  assert.throws(() => budget.share("a").take({ seconds: 1, samples: 501 }), {
    code: "rate_limited",
  });
});
