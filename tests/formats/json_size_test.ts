import assert from "node:assert/strict";
import fc from "fast-check";
import { isWithin, type JsonBounds } from "../../formats/json_size.ts";

/** What parsed JSON holds, as the bounds count it. */
function sizeOf(json: unknown): JsonBounds {
  if (typeof json !== "object" || json === null) return { items: 0, lists: 0, members: 0 };
  const inside = Object.values(json).map(sizeOf);
  const sum = (name: keyof JsonBounds) => inside.reduce((all, one) => all + one[name], 0);
  const own = Object.keys(json).length;
  return {
    items: Math.max(0, own - 1) + sum("items"),
    lists: 1 + sum("lists"),
    members: (Array.isArray(json) ? 0 : own) + sum("members"),
  };
}

Deno.test("isWithin() counts what any JSON holds, and nothing in strings", () => {
  fc.assert(fc.property(fc.json(), fc.constantFrom(undefined, 1), (text, indent) => {
    const json: unknown = JSON.parse(text);
    const written = JSON.stringify(json, null, indent);
    const size = sizeOf(json);
    assert.equal(isWithin(written, size), true);
    for (const name of ["items", "lists", "members"] as const) {
      assert.equal(isWithin(written, { ...size, [name]: size[name] - 1 }), false);
    }
  }));
  const strings = JSON.stringify({ "a:,[{": '\\"[,:{\\\\' });
  assert.equal(isWithin(strings, { items: 0, lists: 1, members: 1 }), true);
});
