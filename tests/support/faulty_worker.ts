/**
 * A model worker that breaks when it is told to: by `{type: "break", how}`, or by audio that begins
 * with {@linkcode POISON}.
 */
import "../../inference/worker/worker.ts";
import { POISON } from "./faulty_workers.ts";
import { hang } from "./hang.ts";

declare const self: {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
};

const honest = self.onmessage;
let sickFor = 0; // messages with audio whose streams it still fails

self.onmessage = (event: MessageEvent) => {
  for (const message of [event.data].flat()) take(message);
};

function take(message: {
  type: string;
  how?: "throw" | "hang" | "sicken";
  times?: number;
  samples?: Float32Array;
  lease?: unknown;
}): void {
  const { type, how, times = Infinity, samples, lease } = message;
  if (type === "break" && how === "hang") hang();
  if (how === "throw" || samples?.[0] === POISON) throw new Error("the test broke this worker");
  if (type === "break") sickFor = times;
  const tell = (message: unknown) => honest?.(new MessageEvent("message", { data: [message] }));
  if (sickFor === 0 || type !== "audio") return tell(message);
  sickFor--;
  tell({ type: "release", lease });
  self.postMessage({ type: "failed", lease, code: "model_failed", message: "sick" });
}
