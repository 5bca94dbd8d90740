import assert from "node:assert/strict";

const STATUS = 7;

for (const when of ["clear", "hung"]) {
  Deno.test(`endHungExits() lets a process end with its own status: ${when}`, async () => {
    const program = new URL("./support/hung_exit_program.ts", import.meta.url).pathname;
    const { code, signal } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-check",
        "--allow-read",
        "--allow-env=OTEL_*",
        "--allow-ffi",
        program,
        when,
      ],
      env: {
        OTEL_DENO: "true",
        OTEL_EXPORTER_OTLP_PROTOCOL: "console",
        OTEL_METRIC_EXPORT_INTERVAL: "50",
      },
      stdout: "null",
      stderr: "null",
    }).output();
    assert.deepEqual([code, signal], [STATUS, null]);
  });
}
