import assert from "node:assert/strict";

/** Runs a test file that leaves out two engines, as `deno task test` runs its own. */
async function run(env: Record<string, string>) {
  const file = await Deno.makeTempFile({ suffix: "_test.ts" });
  const module = new URL("./left_out.ts", import.meta.url).href;
  await Deno.writeTextFile(
    file,
    `import { leftOut } from "${module}";
      leftOut("abacus", "no beads"); leftOut("a card", "none here", { needsCard: true });`,
  );
  try {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--quiet", "--no-check", "--allow-env", file],
      env: { NO_COLOR: "1", CPC_REQUIRE_ENGINES: "", ...env },
    }).output();
    return { code, output: new TextDecoder().decode(stdout) };
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("leftOut() names the engine and the reason, even with --quiet", async () => {
  const { code, output } = await run({});
  assert.equal(code, 0);
  assert.match(output, /LEFT OUT: abacus: no beads \.\.\. ignored/);
  assert.match(output, /LEFT OUT: a card: none here \.\.\. ignored/);
});

Deno.test("leftOut() fails where all engines are demanded, save for hardware", async () => {
  const { code, output } = await run({ CPC_REQUIRE_ENGINES: "1" });
  assert.equal(code, 1);
  assert.match(output, /abacus must be tested here: no beads/);
  assert.match(output, /LEFT OUT: a card: none here \.\.\. ignored/);
});
