/** What servers of the protocol answer: contexts of recordings, to compare servers with. */
import { fixtureSamples } from "../../conformance/golden.ts";
import { ready } from "../load.ts";

/** Streamed at once, each in messages of its own length. */
const RECORDINGS = [
  { name: "italian_short.wav", messageSamples: 320 },
  { name: "russian.wav", messageSamples: 250 },
  { name: "synthetic_english.wav", messageSamples: 1600 },
] as const;
const SECONDS = 2;
const HEADER_BYTES = 16;

/** Contexts of all recordings, streamed side by side: of each, its frames one after the other. */
export function contextsOf(url: string): Promise<Float32Array[]> {
  return Promise.all(RECORDINGS.map(async ({ name, messageSamples }) => {
    const samples = fixtureSamples(name).subarray(0, SECONDS * 16_000);
    const pcm = Int16Array.from(samples, (x) => Math.round(x * 32_768));
    const socket = await ready(url, "format=binary");
    const rows: number[] = [];
    const done = new Promise<void>((resolve, reject) => {
      socket.on("message", (data: Uint8Array, isBinary: boolean) => {
        if (!isBinary) {
          const { type, message } = JSON.parse(new TextDecoder().decode(data));
          if (type === "error") reject(new Error(message));
          return;
        }
        const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
        for (let at = HEADER_BYTES; at < view.byteLength; at += 4) {
          rows.push(view.getFloat32(at, true));
        }
      });
      socket.on("close", () => resolve());
      socket.on("error", reject);
    });
    for (let at = 0; at < pcm.length; at += messageSamples) {
      socket.send(new Uint8Array(pcm.slice(at, at + messageSamples).buffer));
    }
    socket.send(JSON.stringify({ type: "finish" }));
    await done;
    return Float32Array.from(rows);
  }));
}

/**
 * The largest difference of two servers' contexts, over the frames that both have: one may leave
 * out those at the end that hear padding.
 *
 * @returns Infinity if one lacks others
 */
export function largestDifference(
  truth: readonly Float32Array[],
  contexts: readonly Float32Array[],
  { width, tailFrames }: { width: number; tailFrames: number },
): number {
  let largest = 0;
  for (const [r, expected] of truth.entries()) {
    const got = contexts[r] ?? new Float32Array(0);
    const least = expected.length - tailFrames * width;
    if (got.length < least || got.length > expected.length) return Infinity;
    got.forEach((x, i) => largest = Math.max(largest, Math.abs(x - expected[i])));
  }
  return largest;
}
