/** A worker that never comes back. */
declare const self: { postMessage(message: "busy"): void };

self.postMessage("busy");
for (;;);
