import assert from "node:assert/strict";
import { mutantsOf } from "../../../proof/mutate/operators.ts";

/** The text after each mutant. */
function changed(text: string): string[] {
  return mutantsOf(text).map(({ from, to, replacement }) =>
    text.slice(0, from) + replacement + text.slice(to)
  );
}

Deno.test("mutantsOf() changes comparisons, boundaries, booleans, conditions, arithmetic", () => {
  assert.deepEqual(changed("x = a < 3;"), [";", "x = a <= 3;", "x = a < (3 + 1);"]);
  assert.deepEqual(changed("const x = !a && b;"), ["const x = !a || b;", "const x = a && b;"]);
  assert.deepEqual(changed("const x = a - b;"), ["const x = a + b;"]);
  assert.deepEqual(changed("if (a) b();"), ["if (!(a)) b();", "if (a) ;"]);
  assert.deepEqual(changed("for (; true; i++) ;"), ["for (; false; i++) ;", "for (; true; i--) ;"]);
});

Deno.test("mutantsOf() removes calls and returned values", () => {
  assert.deepEqual(changed("function f() { g(); return h; }"), [
    "function f() { ; return h; }",
    "function f() { g(); return undefined; }",
  ]);
});

Deno.test("mutantsOf() leaves types, joined texts and calls of super alone", () => {
  assert.deepEqual(changed("interface A { x: 1 | 2 }\nlet x: 3;"), []);
  assert.deepEqual(changed('const x = "a" + b;'), []);
  assert.deepEqual(changed("const x = `a ${b}` + c;"), []);
  assert.deepEqual(changed("class A extends B { constructor() { super(); } }"), []);
});

Deno.test("mutantsOf() changes nothing into itself", () => {
  assert.deepEqual(changed("function f() { return undefined; }"), []);
});

Deno.test("mutantsOf() says where and what", () => {
  const [mutant] = mutantsOf("\nconst x = a === b;");
  assert.deepEqual([mutant.line, mutant.what], [2, "=== → !=="]);
});
