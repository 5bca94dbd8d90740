import assert from "node:assert/strict";
import { choice, choices, custom, file, path, repeatable, whole, yes } from "../../config/kinds.ts";
import { UsageError } from "../../errors.ts";

const help = "";

Deno.test("whole() takes whole numbers within its bounds", () => {
  const setting = whole({ min: 2, max: 30, help });
  assert.equal(setting.read(["30"], "n"), 30);
  assert.equal(setting.read([], "n"), undefined);
  for (const given of ["1", "31", "-2", "2.5", "1e1", "0x5", " 5", "", "many"]) {
    assert.throws(() => setting.read([given], "n"), {
      name: "RangeError",
      message: `takes a whole number from 2 to 30, got ${JSON.stringify(given)}`,
    });
  }
  assert.throws(() => whole({ min: 2, help }).read(["1"], "n"), /a whole number of 2 or more/);
});

Deno.test("choice() and choices() take the words that they name", () => {
  const one = choice(["red", "green", "blue"], { help });
  assert.equal(one.read(["green"], "c"), "green");
  assert.throws(() => one.read(["Green"], "c"), /takes red, green or blue, got "Green"/);
  const several = choices(["red", "green"], { help });
  assert.deepEqual(several.read(["green, red"], "c"), ["green", "red"]);
  assert.throws(() => several.read(["red,"], "c"), /takes a comma list of red, green, got "red,"/);
});

Deno.test("yes() takes 1 and 0 besides the bare flag", () => {
  const setting = yes({ help });
  const read = ["1", "true", "0", "false"].map((text) => setting.read([text], "y"));
  assert.deepEqual([...read, setting.read([], "y")], [true, true, false, false, false]);
  assert.throws(() => setting.read(["yes"], "y"), /takes 1 or 0, got "yes"/);
});

Deno.test("custom() keeps a secret out of its errors, and says what is needed", () => {
  const digits = { takes: "digits", accept: (text: string) => /^\d+$/.exec(text)?.[0] };
  const secret = custom({ help }, { ...digits, secret: () => "***" });
  assert.equal(secret.masked?.("1234"), "***");
  assert.throws(() => secret.read(["hunter2"], "key"), { message: "takes digits" });
  const needed = custom({ value: "PIN", help: "digits of the card", required: true }, digits);
  assert.throws(() => needed.read([], "pin"), { message: "PIN is required: digits of the card" });
});

Deno.test("path() finds its default from any working directory", () => {
  const setting = path({ fallback: "weights/cpc-base", help });
  assert.ok(Deno.statSync(setting.read(["weights/cpc-base"], "model")).isDirectory);
  assert.match(setting.read(["weights/cpc-base"], "model"), /^\//);
  assert.equal(setting.read(["mine"], "model"), "mine");
});

Deno.test("file() is read when asked, and names flag and file when it cannot be", () => {
  const setting = file({ fallback: "deno.json", help });
  assert.match(setting.read(["deno.json"], "config").text(), /"tasks"/);
  const missing = setting.read(["no/such"], "config");
  assert.equal(missing.path, "no/such");
  assert.throws(() => missing.text(), (error) => {
    return error instanceof UsageError && /^--config: cannot read no\/such: /.test(error.message);
  });
});

Deno.test("repeatable() reads each text by its kind", () => {
  const setting = repeatable(whole({ min: 1, max: 9, help }));
  assert.deepEqual(setting.read(["1", "2"], "n"), [1, 2]);
  assert.deepEqual(setting.read([], "n"), []);
  assert.throws(() => setting.read(["1", "10"], "n"), /got "10"/);
});
