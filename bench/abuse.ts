/** What a live stream's client notices while somebody abuses the server: `bench --only abuse`. */
import { ready, startServer } from "./load.ts";
import { liveStream } from "./neighbours.ts";
import { pad } from "./print.ts";
import { percentiles } from "./statistics.ts";
import { longestStallMs } from "./stalls.ts";
import { ABUSES } from "./abusers.ts";

/** How long an abuser is at work before its neighbour speaks, in ms. */
const HEAD_START_MS = 1000;

/**
 * A table: p50 and p99 of a neighbour beside each abuse, and the server's longest stall.
 *
 * @param names of the abuses
 */
export async function abuse(
  model: string,
  seconds: number,
  names: readonly string[] = ["nobody", ...Object.keys(ABUSES)],
): Promise<void> {
  console.log(
    `\nabuse: a live stream of ${seconds} s in messages of 20 ms, beside one abuser at a time;`,
  );
  console.log("latency from sending the audio that completes a frame to its arrival, in ms");
  console.log("stall: the longest stop of the server's event loop meanwhile, in ms");
  console.log("abuse             p50     p99     max   stall");
  for (const name of names) {
    // a fresh server each: what one abuser left behind is not the next one's
    const server = await startServer(["--model", model]);
    const end = name === "nobody" ? () => {} : await startAbuser(name, server.url);
    let shown: string;
    try {
      await longestStallMs(server.url);
      const { latenciesMs } = await liveStream(server.url, seconds);
      shown = [...percentiles(latenciesMs, [0.5, 0.99, 1]), await longestStallMs(server.url)]
        .map((ms) => pad(ms.toFixed(1), 6)).join("  ");
    } catch (error) {
      shown = `the stream was lost: ${(error as Error).message}`;
    }
    end();
    console.log(`${name.padEnd(14)}  ${shown}`);
    await server.stop();
  }
}

/** Starts an abuser on a thread of its own; ends it. */
async function startAbuser(name: string, url: string): Promise<() => void> {
  (await ready(url, "")).terminate(); // the server is warm
  const worker = new Worker(new URL("./abusers.ts", import.meta.url), { type: "module" });
  worker.postMessage({ name, url });
  await new Promise((resolve) => setTimeout(resolve, HEAD_START_MS));
  return () => worker.terminate();
}
