/**
 * A model worker that breaks when it is told to: by `{type: "break", how}`, or by audio that begins
 * with {@linkcode POISON}.
 */
import "../../inference/worker/worker.ts";
import { POISON } from "./faulty_workers.ts";

declare const self: {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
};

const honest = self.onmessage;
let sick = false; // it fails every stream

self.onmessage = (event: MessageEvent) => {
  const { type, how, samples, lease } = event.data;
  if (type === "break" && how === "hang") { for (;;); }
  if (how === "throw" || samples?.[0] === POISON) throw new Error("the test broke this worker");
  if (type === "break") sick = true;
  if (sick && type === "audio") {
    const failure = { type: "failed", lease, code: "model_failed", message: "sick" };
    honest?.(new MessageEvent("message", { data: { type: "release", lease } }));
    return self.postMessage(failure);
  }
  honest?.(event);
};
