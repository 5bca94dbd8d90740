/** What `--profile` costs a server: its time on processors under one load, with it and without. */
import { streamUrl } from "./capacity.ts";
import { cpuSecondsOf } from "./cpu_seconds.ts";
import { type ChildServer, startServer } from "./load.ts";
import { pacedLoad } from "./paced_load.ts";
import { median } from "./statistics.ts";

/** Time on processors for a second of each stream, in ms. */
export interface ProfileCost {
  readonly streams: number;
  readonly plainMs: number;
  readonly profiledMs: number;
  /** Paired within a round. */
  readonly ratio: number;
}

/**
 * Loads a server of each kind with streams at the pace of speech, in turns.
 *
 * @param options `seconds`: of audio a stream and round, after one more that counts here
 */
export async function benchProfileCost(
  model: string,
  { streams, seconds, rounds }: { streams: number; seconds: number; rounds: number },
): Promise<ProfileCost> {
  const servers: ChildServer[] = [];
  const measure = async ({ url, pid }: ChildServer): Promise<number> => {
    const cpuSeconds = () => cpuSecondsOf(pid);
    const { serverCores } = await pacedLoad({ url: streamUrl(url) }, {
      streams,
      seconds,
      cpuSeconds,
    });
    if (serverCores === undefined) throw new Error("a server's time on processors needs /proc");
    return serverCores / streams * 1000;
  };
  const [plain, profiled]: [number[], number[]] = [[], []];
  try {
    for (const flags of [[], ["--profile"]]) {
      servers.push(await startServer(["--model", model, "--workers", "1", ...flags]));
    }
    for (let round = 0; round < rounds; round++) {
      const turns = [[plain, servers[0]], [profiled, servers[1]]] as const;
      for (const [seen, server] of round % 2 === 0 ? turns : turns.toReversed()) {
        seen.push(await measure(server));
      }
    }
  } finally {
    for (const server of servers) await server.stop();
  }
  return {
    streams,
    plainMs: median(plain),
    profiledMs: median(profiled),
    ratio: median(profiled.map((ms, round) => ms / plain[round])),
  };
}
