import assert from "node:assert/strict";

/** Runs a program in which one thread hears nothing any more. */
function startBusy(thread: "main" | "worker"): Deno.ChildProcess {
  const program = new URL("./support/busy_program.ts", import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--allow-read",
      "--allow-ffi",
      program,
      thread,
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

for (const thread of ["main", "worker"] as const) {
  Deno.test(`endAtSecondSignal() ends with 0 though the ${thread} thread is busy`, async () => {
    const child = startBusy(thread);
    const said = child.stdout.getReader();
    await said.read(); // it is busy
    let signals = 0;
    let ended = false;
    const status = child.status.finally(() => ended = true);
    while (!ended) {
      try {
        child.kill(signals % 2 === 0 ? "SIGTERM" : "SIGINT");
        signals++;
      } catch {
        break; // it has just ended
      }
      const pause = Promise.withResolvers<void>();
      const timer = setTimeout(pause.resolve, 20);
      await Promise.race([status, pause.promise]);
      clearTimeout(timer);
    }
    assert.ok(signals >= 2, "the first one drains");
    const { code, signal } = await status;
    assert.deepEqual([code, signal], [0, null]);
    await said.cancel();
  });
}
