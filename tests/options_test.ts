import assert from "node:assert/strict";
import { z } from "zod";
import { CpcError } from "../errors.ts";
import { addOption, parseOptions, wholeNumber } from "../options.ts";

const schema = z.strictObject({
  every: wholeNumber(1, 20).optional(),
  model: z.string().optional(),
});

function refusal(act: () => unknown): { message: string; param?: string } {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof CpcError);
    assert.equal(error.code, "invalid_option");
    return { message: error.message, param: error.param };
  }
  assert.fail("nothing was refused");
}

Deno.test("wholeNumber() takes numbers and digits between its bounds, and names them", () => {
  for (const [given, number] of [[1, 1], ["20", 20], ["007", 7]]) {
    assert.deepEqual(parseOptions(schema, { every: given }), { every: number });
  }
  for (const every of [0, 21, "21", 1.5, "1.5", "-1", " 1", "", "1e1", "9".repeat(40), null, [1]]) {
    assert.deepEqual(refusal(() => parseOptions(schema, { every })), {
      message: `option every: must be a whole number from 1 to 20, got ${JSON.stringify(every)}`,
      param: "every",
    });
  }
});

Deno.test("parseOptions() tells an unknown option those there are", () => {
  assert.deepEqual(refusal(() => parseOptions(schema, { colour: "red" })), {
    message: "unknown option colour; known options are every, model",
    param: "colour",
  });
});

Deno.test("addOption() refuses a name given twice, and keeps any name from the prototype", () => {
  const given: Record<string, unknown> = {};
  addOption(given, "every", "1");
  addOption(given, "toString", "2");
  addOption(given, "__proto__", "3");
  assert.deepEqual(Object.keys(given), ["every", "toString", "__proto__"]);
  assert.equal(refusal(() => parseOptions(schema, given)).param, "toString");
  assert.deepEqual(refusal(() => addOption(given, "every", "1")), {
    message: "option every is given twice",
    param: "every",
  });
});

Deno.test("parseOptions() looks at no item of a list that is too long", () => {
  for (const [name, most] of [["every", 128], ["model", 128], ["voice", 16_384]] as const) {
    for (const list of [Array(most + 1).fill(0), Array(most + 1).fill(0).join()]) {
      assert.deepEqual(refusal(() => parseOptions(schema, { [name]: list })), {
        message: `option ${name} may have up to ${most} items, got ${most + 1}`,
        param: name,
      });
    }
    const { message } = refusal(() => parseOptions(schema, { [name]: Array(most).fill(0) }));
    assert.doesNotMatch(message, /may have/);
  }
});
