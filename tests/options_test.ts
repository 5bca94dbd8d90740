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

Deno.test("parseOptions() says in plain words what is wrong, and what was given", () => {
  const strict = z.strictObject({
    kind: z.enum(["json", "npy"]).optional(),
    one: z.literal("x").optional(),
    name: z.string().min(1).max(3).optional(),
    list: z.array(z.int().min(2).max(5)).min(1).max(2).optional(),
  });
  for (
    const [given, message] of [
      [{ kind: "xml" }, 'option kind: must be one of json, npy, got "xml"'],
      [{ one: 1 }, "option one: must be x, got 1"],
      [{ name: 5 }, "option name: must be a string, got 5"],
      [{ name: "" }, 'option name: must not be empty, got ""'],
      [{ name: "four" }, 'option name: may have up to 3 characters, got "four"'],
      [{ list: {} }, "option list: must be a list, got {}"],
      [{ list: [] }, "option list: must not be empty, got []"],
      [{ list: [2, 3, 4] }, "option list: may have up to 2 items, got [2,3,4]"],
      [{ list: [1] }, "option list: must be 2 or more, got [1]"],
      [{ list: [6] }, "option list: must be 5 or less, got [6]"],
      [{ list: [2.5] }, "option list: must be a whole number, got [2.5]"],
    ] as const
  ) {
    assert.equal(refusal(() => parseOptions(strict, given)).message, message);
  }
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
