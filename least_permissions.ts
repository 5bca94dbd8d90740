/**
 * Gives up what this start of the server does not need, before anything else is loaded. Only a
 * store in a file writes files; only a supervisor of several servers (`--processes`) runs programs
 * (`processes/supervise_apart.ts` narrows that to Deno), and it neither loads a model nor looks at
 * the machine. With telemetry it loads the C library (`process_end.ts`), and gives that up later.
 */
const args = Deno.args.join(" ");
const isSupervisor = /--processes[= ]0*([2-9]|1\d)/.test(args) ||
  !args.includes("--processes") && Number(Deno.env.get("CPC_PROCESSES")) > 1;
const storesInFile = [Deno.env.get("CPC_STORE") ?? "", ...Deno.args].some((text) =>
  /^(--store=)?sqlite:/.test(text)
);
const isSupervised = args === "supervised"; // its supervisor chose its rights
if (!storesInFile && !isSupervisor && !isSupervised) {
  await Deno.permissions.revoke({ name: "write" });
}
if (isSupervisor) {
  if (!Deno.env.get("OTEL_DENO")) await Deno.permissions.revoke({ name: "ffi" });
  await Deno.permissions.revoke({ name: "sys" });
} else await Deno.permissions.revoke({ name: "run" });

export {};
