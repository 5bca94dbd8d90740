import assert from "node:assert/strict";
import { type Command, helpOf, type Io, runCommand } from "../../commands/cli.ts";
import { text, whole } from "../../config/kinds.ts";
import { CpcError, UsageError } from "../../errors.ts";

const TRY = {
  name: "try",
  about: "Tries.",
  usage: "WORD [flags]",
  operands: "what to try",
  settings: { times: whole({ min: 1, max: 9, fallback: 2, help: "how often" }) },
} satisfies Command;

/** Runs `TRY`; exit status and what it wrote. */
async function run(
  args: string[],
  work: Parameters<typeof runCommand<typeof TRY.settings>>[1] = () => {},
) {
  const out: string[] = [];
  const said: string[] = [];
  const io: Io = {
    print: (text) => out.push(text),
    complain: (text) => said.push(text),
    environment: () => undefined,
  };
  return { status: await runCommand(TRY, work, { args, io }), out, said };
}

Deno.test("runCommand() hands values over; its status is the work's, or 0", async () => {
  const seen: unknown[] = [];
  const { status } = await run(
    ["a", "--times", "3", "b"],
    ({ times }, words) => void seen.push(times, ...words),
  );
  assert.deepEqual([status, seen], [0, [3, "a", "b"]]);
  assert.equal((await run([], () => 1)).status, 1);
});

Deno.test("runCommand() prints errors as one line: 2 for wrong usage, 1 for failures", async () => {
  const cases: [unknown, number][] = [
    [new UsageError("why"), 2],
    [new CpcError("weights_invalid", "why"), 2],
    [new CpcError("invalid_option", "why"), 2],
    [new CpcError("model_failed", "why"), 1],
    [new Error("why"), 1],
  ];
  for (const [error, expected] of cases) {
    const { status, said, out } = await run([], () => Promise.reject(error));
    assert.deepEqual([status, said, out], [expected, ["deno task try: why"], []]);
  }
  const { status, said } = await run(["--times", "10"]);
  assert.deepEqual([status, said], [2, [
    'deno task try: --times takes a whole number from 1 to 9, got "10"',
  ]]);
});

Deno.test("runCommand() shows where a mistake of the program's own happened", async () => {
  const { status, said } = await run([], () => Promise.reject(new TypeError("odd")));
  assert.equal(status, 1);
  assert.match(said.join("\n"), /^deno task try: TypeError: odd\n +at .*cli_test\.ts/);
});

Deno.test("runCommand() prints help and does nothing else", async () => {
  const { status, out, said } = await run(["--help"], () => assert.fail("it ran"));
  assert.deepEqual([status, out, said], [0, [helpOf(TRY)], []]);
});

Deno.test("helpOf() lays out flags in columns, wraps at 100, and names every default", () => {
  const long = "word ".repeat(40).trim();
  const help = helpOf({ ...TRY, settings: { ...TRY.settings, out: text({ help: long }) } });
  assert.equal(
    help.split("\n").slice(0, 7).join("\n"),
    [
      "Tries.",
      "",
      "usage: deno task try WORD [flags]",
      "",
      "  WORD        what to try",
      "  --times N   how often [1 to 9; default: 2; CPC_TIMES]",
      `  --out TEXT  ${"word ".repeat(17).trim()}`,
    ].join("\n"),
  );
  assert.ok(help.split("\n").every((line) => line.length <= 100));
});

Deno.test("helpOf() of a command without flags speaks of none", () => {
  const help = helpOf({ name: "try", about: "Tries.", usage: "", settings: {} });
  assert.equal(help, "Tries.\n\nusage: deno task try\n\n  --help  show this text\n");
});
