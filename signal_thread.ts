/** The thread that ends the process at a second signal, whatever the other threads do. */
import { processEnder } from "./process_end.ts";
import { SAME_SIGNAL_MS, STOP_SIGNALS } from "./signals.ts";

declare const self: { postMessage(message: "listens" | "end"): void };

const end = processEnder() ?? (() => self.postMessage("end"));
let firstMs: number | undefined;
for (const signal of STOP_SIGNALS) {
  Deno.addSignalListener(signal, () => {
    firstMs ??= performance.now();
    if (performance.now() - firstMs >= SAME_SIGNAL_MS) end(0);
  });
}
self.postMessage("listens");
