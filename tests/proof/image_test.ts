import assert from "node:assert/strict";
import { commandOf, contextFilter, stagesOf, variablesOf } from "../../proof/image/dockerfile.ts";

Deno.test("stagesOf() joins lines, leaves comments out and fills arguments in", () => {
  const text = `# a comment
ARG VERSION=2
FROM image:\${VERSION} AS first
RUN one \\
    && two
# another
FROM first AS second
USER 5:5
`;
  assert.deepEqual(stagesOf(text), [
    { name: "first", from: "image:2", instructions: [{ name: "RUN", text: "one && two" }] },
    { name: "second", from: "first", instructions: [{ name: "USER", text: "5:5" }] },
  ]);
});

Deno.test("stagesOf() refuses what it does not understand", () => {
  assert.throws(() => stagesOf("FROM image\n"), /FROM x AS y/);
  assert.throws(() => stagesOf("RUN before\n"), /before the first FROM/);
});

Deno.test("variablesOf() and commandOf() read what ENV and ENTRYPOINT say", () => {
  assert.deepEqual(variablesOf("A=1 B=x=y"), { A: "1", B: "x=y" });
  assert.throws(() => variablesOf("A 1"), /NAME=VALUE/);
  assert.deepEqual(commandOf('["a", "b c"]'), ["a", "b c"]);
  assert.throws(() => commandOf("[1]"), /not a list of words/);
});

Deno.test("contextFilter() goes by the last rule that fits, folders with all below them", () => {
  const isContext = contextFilter("# left out\ntests\n!tests/deno.json\n");
  assert.deepEqual(
    ["main.ts", "tests/a_test.ts", "tests/deno.json", "tests_of_more"].map(isContext),
    [true, false, true, true],
  );
  assert.throws(() => contextFilter("*.md"), /patterns/);
});
