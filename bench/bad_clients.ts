/**
 * A worker with two bad clients: one sends as fast as it can, and one never reads what it asked
 * for.
 */
import { ready } from "./load.ts";

declare const self: {
  onmessage: ((event: MessageEvent<string>) => void) | null;
  postMessage(message: "begun"): void;
};

const CHUNK = new Uint8Array(32_000); // 1 s of silence
const HIGH_WATER_BYTES = 1024 * 1024;

self.onmessage = async ({ data: url }) => {
  const flooding = await ready(url, "format=binary");
  const flood = () => {
    while (flooding.bufferedAmount < HIGH_WATER_BYTES) flooding.send(CHUNK, flood);
  };
  const slow = await ready(url, "output=context,latent,prediction");
  slow.pause();
  for (let i = 0; i < 300; i++) slow.send(CHUNK);
  flood();
  self.postMessage("begun");
};
