import assert from "node:assert/strict";
import { choice, repeatable, text, whole, yes } from "../../config/kinds.ts";
import { readSettings } from "../../config/read.ts";
import { UsageError } from "../../errors.ts";

const TABLE = {
  port: whole({ min: 0, max: 99, fallback: 80, help: "" }),
  colour: choice(["red", "blue"], { value: "NAME", help: "" }),
  names: repeatable(text({ help: "" })),
  loud: yes({ help: "" }),
};

const read = (args: string[], environment: Record<string, string> = {}) =>
  readSettings(TABLE, { args, environment: (name) => environment[name] });

Deno.test("readSettings() takes flags before the environment, and that before defaults", () => {
  const environment = { CPC_PORT: "7", CPC_COLOUR: "blue", CPC_NAME: "a, b,", CPC_LOUD: "1" };
  assert.deepEqual(read([])?.values, { port: 80, colour: undefined, names: [], loud: false });
  assert.deepEqual(read([], environment)?.values, {
    port: 7,
    colour: "blue",
    names: ["a", "b"],
    loud: true,
  });
  assert.deepEqual(
    read(["--port", "9", "--colour=red", "--name", "c", "--name=d,e"], environment)?.values,
    { port: 9, colour: "red", names: ["c", "d,e"], loud: true },
  );
});

Deno.test("readSettings() counts an empty variable as none", () => {
  assert.equal(read([], { CPC_PORT: "", CPC_LOUD: "" })?.values.port, 80);
});

Deno.test("readSettings() names the flag, its bound, what was given, and the variable", () => {
  const cases: [string[], Record<string, string>, string][] = [
    [["--port", "100"], {}, '--port takes a whole number from 0 to 99, got "100"'],
    [[], { CPC_PORT: "x" }, '--port takes a whole number from 0 to 99, got "x" in CPC_PORT'],
    [["--colour", "Red"], {}, '--colour takes red or blue, got "Red"'],
    [[], { CPC_LOUD: "yes" }, '--loud takes 1 or 0, got "yes" in CPC_LOUD'],
    [["--size", "1"], {}, "Unknown option '--size'; --help lists the flags"],
    [["--port", "-1"], {}, "--port has no value; one that begins with a dash goes as --port=-…"],
    [["--port=-1"], {}, '--port takes a whole number from 0 to 99, got "-1"'],
    [
      ["--port", "--loud"],
      {},
      "--port has no value; one that begins with a dash goes as --port=-…",
    ],
    [["word"], {}, "Unexpected argument 'word'; --help lists the flags"],
  ];
  for (const [args, environment, message] of cases) {
    assert.throws(() => read(args, environment), (error) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, message);
      return true;
    });
  }
});

Deno.test("readSettings() gives other words where a command takes them, undefined for help", () => {
  const given = readSettings(TABLE, {
    args: ["a.wav", "--loud", "b.wav"],
    environment: () => undefined,
    operands: true,
  });
  assert.deepEqual([given?.positionals, given?.values.loud], [["a.wav", "b.wav"], true]);
  assert.equal(read(["--help", "--port", "100"]), undefined);
  assert.equal(read(["-h"]), undefined);
});
