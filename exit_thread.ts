/** The thread that ends the process where the main thread hangs in `Deno.exit()`. */
import { type Exit, processEnder } from "./process_end.ts";

declare const self: {
  onmessage: ((event: MessageEvent<Exit>) => void) | null;
  postMessage(message: "runs"): void;
};

const end = processEnder();
self.onmessage = ({ data: { status, withinMs } }) => setTimeout(() => end?.(status), withinMs);
self.postMessage("runs");
