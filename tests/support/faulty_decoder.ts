/** A decoder that works until it is told to hang. */
import "../../audio/decode_worker.ts";

declare const self: { onmessage: ((event: MessageEvent) => void) | null };

const honest = self.onmessage;

self.onmessage = (event: MessageEvent) => {
  if (event.data.type === "hang") { for (;;); }
  honest?.(event);
};
