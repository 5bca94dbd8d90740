/**
 * A program in which one thread hears nothing any more once it has said so: the main thread, or
 * with the argument `worker` one that the main thread waits for.
 */
import process from "node:process";
import { endAtSecondSignal, STOP_SIGNALS } from "../../signals.ts";

for (const signal of STOP_SIGNALS) process.on(signal, () => {});
await endAtSecondSignal();
if (Deno.args[0] === "worker") {
  const thread = new Worker(new URL("./busy_thread.ts", import.meta.url), { type: "module" });
  await new Promise((resolve) => thread.onmessage = resolve);
  console.log("busy");
} else {
  console.log("busy");
  for (;;);
}
