import assert from "node:assert/strict";
import { runTests } from "../../../proof/mutate/test_run.ts";

/** Runs a test file of this text. */
async function run(text: string, stop = new AbortController().signal) {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${cwd}/some_test.ts`, text);
    return await runTests(["some_test.ts"], { cwd, flags: ["--no-config"], timeoutS: 20, stop });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

Deno.test("runTests() names the first test that fails twice", async () => {
  const flaky = 'let calls = 0;\nDeno.test("flaky", () => { if (calls++ === 0) throw 1; });\n';
  assert.deepEqual(await run(flaky), { passed: true });
  const failing =
    'Deno.test("broken", () => { throw 1; });\nDeno.test("late", () => { throw 2; });';
  assert.deepEqual(await run(flaky + failing), { passed: false, by: "broken" });
  assert.deepEqual(await run("?"), { passed: false, by: "deno test ended with 1" });
});

Deno.test("runTests() throws the reason of a stop, and leaves no test running", async () => {
  const stop = new AbortController();
  const endless = run('Deno.test("endless", () => { for (;;); });', stop.signal);
  const timer = setTimeout(() => stop.abort(new Error("enough")), 50);
  await assert.rejects(endless, /enough/);
  clearTimeout(timer);
});
