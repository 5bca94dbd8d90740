import assert from "node:assert/strict";

/** Runs a program whose main thread hears nothing any more. */
function startBusy(): Deno.ChildProcess {
  const module = new URL("../signals.ts", import.meta.url).href;
  const program = `import process from "node:process";
    import { endAtSecondSignal, STOP_SIGNALS } from "${module}";
    for (const signal of STOP_SIGNALS) process.on(signal, () => {});
    await endAtSecondSignal();
    console.log("busy");
    for (;;);`;
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--allow-read",
      "--allow-ffi",
      `data:application/typescript,${encodeURIComponent(program)}`,
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

Deno.test("endAtSecondSignal() ends a process with 0 whose main thread is busy, at a second signal and not before", async () => {
  const child = startBusy();
  const said = child.stdout.getReader();
  await said.read(); // it is busy
  let signals = 0;
  let ended = false;
  const status = child.status.finally(() => ended = true);
  while (!ended) {
    child.kill(signals++ % 2 === 0 ? "SIGTERM" : "SIGINT");
    await Promise.race([status, new Promise((resolve) => setTimeout(resolve, 20))]);
  }
  assert.ok(signals >= 2, "the first one drains");
  assert.deepEqual(await status, { success: true, code: 0, signal: null });
  await said.cancel();
});
