/** `deno task bench:peers`: this server and others of the same model, on one core, in one table. */
import { basename, join, resolve } from "node:path";
import { benchPeers, leaveFirstCore } from "../bench/peers/peers.ts";
import { contenders } from "../bench/peers/servers.ts";
import { tableOfPeers } from "../bench/peers/table.ts";
import { UsageError } from "../errors.ts";
import { BENCH_PEERS } from "./bench/peers_options.ts";
import { peersPython } from "./bench/peers_python.ts";
import { type Io, runCommand } from "./cli.ts";
import { systemOf } from "./doctor/system.ts";

/** Runs the command; resolves to its exit status. */
export function comparePeers(args: string[]): Promise<number> {
  return runCommand(BENCH_PEERS, async (given, _, io) => {
    const { seconds, python, force } = given;
    const model = resolve(given.model);
    const cores = navigator.hardwareConcurrency;
    if (Deno.build.os !== "linux" || cores < 2) {
      throw new UsageError(
        `the comparison needs Linux and two cores: one for the servers, one for the load; this ` +
          `is ${Deno.build.os} with ${cores}`,
      );
    }
    const folder = resolve(given.folder ?? cacheFolder(io));
    const own = await peersPython({ python, folder, force });
    await leaveFirstCore();
    const table = await benchPeers(contenders({ model, python: own }), {
      model,
      seconds,
      bare: ["fp32", "int8"],
      print: io.print,
    });
    const { system: { cpu } } = await systemOf();
    const day = new Date().toISOString().slice(0, 10);
    io.print(`\n${cpu}, one core of ${cores}; ${day}; ${basename(model)}, ${seconds} s a level;`);
    io.print(`the limit: ${(table.limitFlops / 1e9).toFixed(0)} GFLOP/s, a matrix product\n`);
    for (const line of tableOfPeers(table)) io.print(line);
  }, { args });
}

/** @throws {UsageError} */
function cacheFolder({ environment }: Io): string {
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ?? (home && join(home, ".cache"));
  if (!cache) throw new UsageError("neither HOME nor XDG_CACHE_HOME is set: name a --folder");
  return join(cache, "cpc-stream/peers");
}

if (import.meta.main) Deno.exit(await comparePeers(Deno.args));
