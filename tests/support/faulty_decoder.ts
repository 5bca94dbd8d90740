/** A decoder that works until it is told to hang. */
import "../../audio/decode_worker.ts";
import { hang } from "./hang.ts";

declare const self: { onmessage: ((event: MessageEvent) => void) | null };

const honest = self.onmessage;

self.onmessage = (event: MessageEvent) => {
  if (event.data.type === "hang") hang();
  honest?.(event);
};
