/**
 * `deno task proxies`: live streams through HAProxy and nginx while servers die and are replaced.
 */
import { setTimeout as wait } from "node:timers/promises";
import { writeThinModel } from "../bench/thin_model.ts";
import { runCommand } from "../commands/cli.ts";
import { choice, path, text } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { loadWeights, type Weights } from "../model/weights.ts";
import { freePort, storeKinds } from "../tests/support/stores.ts";
import { type Child, startChild, stopChild } from "./chaos/server.ts";
import { clipOf, TOLERANCE } from "./clips.ts";
import { bare, type Clients, python, type Said, typescript } from "./proxies/clients.ts";
import { PROXIES, type Proxy, type ProxyName, startProxy } from "./proxies/proxy.ts";

const COMMAND = {
  name: "proxies",
  about: "Streams through HAProxy and nginx while servers are killed and restarted.",
  usage: "[flags]",
  settings: twinned("CPC_PROXIES_", {
    model: path({ words: "a thin one", help: "weights folder" }),
    only: choice(PROXIES, { value: "PROXY", words: "both", help: "one proxy" }),
    python: text({ value: "PROGRAM", words: "python3", help: "a Python with cpc-stream" }),
  }),
  notes: ["It needs haproxy, nginx and redis-server (Debian's packages)."],
};

/** Streams of each client, 20 in all. */
const STREAMS = { typescript: 7, python: 6, bare: 7 } as const;
/** What happens when, in ms after the streams began. */
const KILL_MS = 2500;
const RESTART_MS = 5500;
/** Between the two of a rolling restart, so that streams settle. */
const SETTLE_MS = 1500;

/** What streams have left after the last restart. */
const END_MS = 2000;
/** How much longer a start may take under load than before it. */
const LOADED = 1.5;

const status = await runCommand(COMMAND, async ({ model, only, python: program }) => {
  const folder = await Deno.makeTempDir();
  try {
    const thin = `${folder}/thin`;
    if (!model) await writeThinModel(thin); // the slowest machine keeps its pace
    const clients = { typescript, python: python(program ?? "python3"), bare };
    return await prove(model ?? thin, { clients, proxies: only ? [only] : PROXIES });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}, { args: Deno.args });
Deno.exit(status);

/** @returns the exit status: 0 if each stream through each proxy is whole, and was resumed */
async function prove(
  model: string,
  { clients, proxies }: {
    clients: Record<keyof typeof STREAMS, Clients>;
    proxies: readonly ProxyName[];
  },
): Promise<number> {
  const weights = await loadWeights(model);
  const redis = storeKinds().find(({ name }) => name === "redis");
  if (!redis) throw new Error("there is no redis-server here");
  let broken = 0;
  console.log("proxy    client      streams  resumes  largest difference");
  for (const name of proxies) {
    await redis.with(async ({ url: store }) => {
      const said = await behind(name, { weights, clients, flags: ["--store", store], model });
      for (const [client, streams] of Object.entries(said)) {
        const resumes = streams.map(({ resumed }) => resumed);
        const most = Math.max(...streams.map(({ difference }) => difference));
        console.log([
          name.padEnd(7),
          client.padEnd(10),
          String(streams.length).padStart(7),
          resumes.reduce((sum, n) => sum + n, 0).toString().padStart(7),
          most.toExponential(1),
        ].join("  "));
        if (!(most <= TOLERANCE)) broken++;
        // every server was replaced, so a stream that was never resumed proves nothing
        if (resumes.some((n) => n === 0)) broken++;
      }
    });
  }
  console.log(broken === 0 ? "no frame lost, doubled or changed" : `${broken} promises broken`);
  return broken === 0 ? 0 : 1;
}

/** Streams through a proxy while its servers are killed, started and restarted one by one. */
async function behind(
  name: ProxyName,
  { weights, clients, flags, model }: {
    weights: Weights;
    clients: Record<keyof typeof STREAMS, Clients>;
    flags: readonly string[];
    model: string;
  },
): Promise<Record<keyof typeof STREAMS, Said[]>> {
  const start = (port = 0) => startChild(model, { port, flags: ["--workers", "1", ...flags] });
  const startingMs = performance.now();
  const servers: [Child, Child] = await Promise.all([start(), start()]);
  const startMs = (performance.now() - startingMs) * LOADED;
  const wholeMs = Math.max(KILL_MS + startMs, RESTART_MS) + 2 * (startMs + SETTLE_MS) + END_MS;
  const clip = clipOf(weights, { seconds: Math.ceil(wholeMs / 1000), seed: 19 });
  const replace = async (i: 0 | 1, signal: Deno.Signal) => {
    const { port } = servers[i];
    servers[i].kill(signal);
    await servers[i].ended;
    servers[i] = await start(port);
  };
  let proxy: Proxy | undefined;
  try {
    const ports: [number, number] = [servers[0].port, servers[1].port];
    proxy = await startProxy(name, { port: await freePort(), servers: ports });
    const { url } = proxy;
    const saying = Promise.all([
      clients.typescript(clip, { url, streams: STREAMS.typescript }),
      clients.python(clip, { url, streams: STREAMS.python }),
      clients.bare(clip, { url, streams: STREAMS.bare }),
    ]);
    saying.catch(() => {}); // thrown below
    const beganMs = performance.now();
    await wait(KILL_MS);
    await replace(0, "SIGKILL");
    await wait(Math.max(0, beganMs + RESTART_MS - performance.now()));
    for (const i of [1, 0] as const) {
      await replace(i, "SIGTERM");
      await wait(SETTLE_MS);
    }
    const overMs = performance.now() - beganMs;
    if (overMs > clip.seconds * 1000) {
      console.log(`the restarts took ${(overMs / 1000).toFixed(1)} s, longer than the streams`);
    }
    const [typescript, python, bare] = await saying;
    return { typescript, python, bare };
  } finally {
    await proxy?.stop();
    await Promise.all(servers.map(stopChild));
  }
}
