/** What a second process adds: `deno task bench --only processes`. */
import { join } from "node:path";
import { familyCpuSeconds } from "./cpu_seconds.ts";
import { startServer, streamMany } from "./load.ts";
import { pad } from "./print.ts";
import { median } from "./statistics.ts";

const STREAMS = 32;
const ROUNDS = 3;
const KINDS = [
  { processes: 1, store: "memory" },
  { processes: 1, store: "sqlite" },
  { processes: 2, store: "sqlite" }, // their own
] as const;
/** Of {@linkcode KINDS}: what two processes are compared with. */
const BASE = 1;

interface Measured {
  /** Stream-seconds per second. */
  readonly rate: number;
  /** Milliseconds of processors for a stream-second. */
  readonly cpuMs: number;
}

/** Streams on one process and on two, with a core and a model worker for each. */
export async function processes(model: string, seconds: number): Promise<void> {
  console.log(
    `\nprocesses: ${model}; ${STREAMS} streams of ${seconds} s in messages of 100 ms, as fast as`,
  );
  console.log(
    "the server takes them; N processes with N workers on N cores (taskset), in turns; the load",
  );
  console.log(
    "generator has what is left: on two cores it takes its share from two processes alone;",
  );
  console.log("cpu: milliseconds of processors that the server takes for a stream-second");
  console.log("processes  store   stream-seconds/s  ratio  cpu ms");
  const measured: Measured[][] = KINDS.map(() => []);
  for (let i = 0; i < ROUNDS; i++) {
    for (const [k, kind] of KINDS.entries()) {
      measured[k]!.push(await measure(model, { seconds, ...kind }));
    }
  }
  const of = (k: number, name: keyof Measured) => median(measured[k]!.map((one) => one[name]));
  for (const [k, { processes, store }] of KINDS.entries()) {
    const rate = of(k, "rate");
    console.log(
      `${pad(processes, 9)}  ${store}  ${pad(rate.toFixed(1), 16)}  ${
        pad((rate / of(BASE, "rate")).toFixed(2), 5)
      }  ${pad(of(k, "cpuMs").toFixed(1), 6)}`,
    );
  }
}

async function measure(
  model: string,
  { seconds, processes, store }: (typeof KINDS)[number] & { seconds: number },
): Promise<Measured> {
  const folder = await Deno.makeTempDir();
  const file = store === "sqlite" && processes === 1
    ? ["--store", `sqlite:${join(folder, "sessions.db")}`]
    : [];
  const counts = ["--processes", `${processes}`, "--workers", `${processes}`];
  const server = await startServer(["--model", model, ...counts, ...file], { cores: processes });
  try {
    const query = "format=binary";
    await streamMany(server.url, { streams: STREAMS, seconds: 1, query }); // warms up
    const before = await familyCpuSeconds(server.pid);
    const wallS = await streamMany(server.url, { streams: STREAMS, seconds, query });
    const cpuS = await familyCpuSeconds(server.pid) - before;
    return { rate: STREAMS * seconds / wallS, cpuMs: cpuS * 1000 / (STREAMS * seconds) };
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}
