/** Idle connections: their memory, and what live streams feel beside them. */
import { streamUrl } from "./capacity.ts";
import { residentMB, socketThreadSeconds, startServer } from "./load.ts";
import { pacedLoad } from "./paced_load.ts";
import { pad } from "./print.ts";
import { median } from "./statistics.ts";

const IDLE_CONNECTIONS = 10_000;
/** Each look at the live streams takes as long as the server's pings need to reach everybody. */
const LIVE = { streams: 8, seconds: 20 } as const;
const ROUNDS = 3;
const MOST_LOOKS = 40;
/** Share of a core that looking at thousands of connections may take. */
const RESTING = 0.3;

/**
 * Measures, and prints. The idle clients are a process of the lowest priority, since they stand for
 * other machines: what they take here of the server's cores is not the server's.
 */
export async function idle(model: string, connections = IDLE_CONNECTIONS): Promise<void> {
  const server = await startServer([
    "--model",
    model,
    "--max-streams",
    `${connections + 100}`,
    "--memory-budget",
    "256GiB",
  ]);
  const target = { url: streamUrl(server.url) };
  await pacedLoad(target, LIVE); // the first connections also pay for what is set up once
  const looks: Record<"alone" | "beside", { p50Ms: number; p99Ms: number }[]> = {
    alone: [],
    beside: [],
  };
  const addedKB: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await rested(server.pid); // the thread still closes the sockets of the last round
    looks.alone.push(await pacedLoad(target, LIVE));
    const before = await settledMB(server.pid); // workers still load graphs
    const clients = await idleClients(server.url, connections);
    await rested(server.pid);
    const after = await settledMB(server.pid);
    addedKB.push((after - before) * 1024 / connections);
    looks.beside.push(await pacedLoad(target, LIVE));
    await clients.end();
  }
  const kilobytes = addedKB.map((kb) => kb.toFixed(1)).join(", ");
  console.log(`\nidle: ${connections} connections add ${kilobytes} KB each (${ROUNDS} rounds)`);
  console.log(`${LIVE.streams} live streams   p50   p99  of each round, ms; medians`);
  for (const [name, levels] of Object.entries(looks)) {
    const [p50, p99] = [levels.map((l) => l.p50Ms), levels.map((l) => l.p99Ms)];
    console.log(
      `${name.padEnd(14)}${pad(median(p50).toFixed(1), 6)}${pad(median(p99).toFixed(1), 6)}  (${
        p99.map((ms) => ms.toFixed(1)).join(", ")
      })`,
    );
  }
  await server.stop();
}

/** Starts them, and waits until all are connected. */
async function idleClients(url: string, count: number): Promise<{ end(): Promise<void> }> {
  const program = new URL("./idle_clients.ts", import.meta.url).pathname;
  const rights = ["--allow-net", "--allow-env=WS_*"];
  const child = new Deno.Command("nice", {
    args: ["-n", "19", Deno.execPath(), "run", "--quiet", "--frozen", ...rights, program, url]
      .concat(`${count}`),
    cwd: new URL("../", import.meta.url).pathname,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const printed = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await printed.read();
  if (value?.trim() !== "open") throw new Error("the idle clients ended before all were connected");
  return {
    async end() {
      await child.stdin.close();
      const { code } = await child.status;
      await printed.cancel();
      if (code !== 0) throw new Error("the server ended an idle connection");
    },
  };
}

/** Waits until the thread of the sockets takes little of a core, for a second. */
async function rested(pid: number): Promise<void> {
  let seconds = await socketThreadSeconds(pid);
  for (let look = 0; look < MOST_LOOKS; look++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const now = await socketThreadSeconds(pid);
    if (seconds === undefined || now === undefined || now - seconds < RESTING) return;
    seconds = now;
  }
}

/** Resident memory once it has changed by less than a MB for two seconds. */
async function settledMB(pid: number): Promise<number> {
  let mb = await residentMB(pid);
  for (let look = 0, still = 0; still < 4 && look < MOST_LOOKS; look++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const now = await residentMB(pid);
    still = Math.abs(now - mb) < 1 ? still + 1 : 0;
    mb = now;
  }
  return mb;
}
