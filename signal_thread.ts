/** The thread that ends the process at a second signal, whatever the other threads do. */
import { SAME_SIGNAL_MS, STOP_SIGNALS } from "./signals.ts";

declare const self: { postMessage(message: "listens" | "end"): void };

/** Name of the C library, by system. */
const LIBRARIES: Partial<Record<typeof Deno.build.os, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.dylib",
};

/** Ends the process at once: `Deno.exit` waits for destructors, which wait for busy threads. */
function processEnder(): () => void {
  const library = LIBRARIES[Deno.build.os];
  const byMain = () => self.postMessage("end");
  if (library === undefined) return byMain;
  try {
    const { symbols } = Deno.dlopen(
      library,
      { _exit: { parameters: ["i32"], result: "void" } } as const,
    );
    return () => symbols._exit(0);
  } catch {
    return byMain; // the library has another name, or may not be loaded
  }
}

const end = processEnder();
let firstMs: number | undefined;
for (const signal of STOP_SIGNALS) {
  Deno.addSignalListener(signal, () => {
    firstMs ??= performance.now();
    if (performance.now() - firstMs >= SAME_SIGNAL_MS) end();
  });
}
self.postMessage("listens");
