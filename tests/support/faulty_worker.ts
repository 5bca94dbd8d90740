/**
 * A model worker that breaks when it is told to: by `{type: "break", how}`, or by audio that begins
 * with {@linkcode POISON}.
 */
import "../../inference/worker/worker.ts";
import { POISON } from "./faulty_workers.ts";

declare const self: { onmessage: ((event: MessageEvent) => void) | null };

const honest = self.onmessage;

self.onmessage = (event: MessageEvent) => {
  const { type, how, samples } = event.data;
  if (type === "break" && how === "hang") { for (;;); }
  if (type === "break" || samples?.[0] === POISON) throw new Error("the test broke this worker");
  honest?.(event);
};
