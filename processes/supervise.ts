/** `deno task start --processes N`: the settings, the port, the servers, and their end. */
import { randomBytes } from "node:crypto";
import process from "node:process";
import { serverConfig, type ServerSettings } from "../config/server.ts";
import { UsageError } from "../errors.ts";
import { Log, StderrSink } from "../log.ts";
import { SAME_SIGNAL_MS, STOP_SIGNALS } from "../signals.ts";
import { serverCommand } from "./command.ts";
import { reservePort } from "./port.ts";
import { makePrivateStore, removePrivateStore } from "./private_store.ts";
import { ServerProcess } from "./server_process.ts";
import { StartFailure, Supervisor } from "./supervisor.ts";

/** Time at the end of a stop to end servers that did not. */
const LAST_MS = 200;

/**
 * Runs the servers until a signal ends them.
 *
 * @param args the words of the command line, which the servers get
 * @returns the exit status
 * @throws {UsageError} if the settings or the port cannot be used
 */
export async function supervise(
  settings: ServerSettings,
  args: readonly string[],
): Promise<number> {
  if (Deno.build.os !== "linux") {
    throw new UsageError("--processes needs Linux, which spreads connections over servers");
  }
  const { host, port: asked, processes, store, logLevel, drainTimeoutS } = serverConfig(settings);
  const sink = new StderrSink();
  const log = new Log(logLevel, { sink });
  const ended = Promise.withResolvers<number>();
  let stop = () => ended.resolve(0); // there is nothing to drain yet
  for (const signal of STOP_SIGNALS) process.on(signal, () => stop());
  const port = await reservePort({ host, port: asked });
  const privateStore = store.kind === "memory" ? makePrivateStore() : undefined;
  const secret = randomBytes(32).toString("base64");
  const supervisor = new Supervisor({
    processes,
    log,
    logged: (line) => sink.write(line),
    onDrain: (withinS) => drain(withinS),
    launch: (process, listener, commands) =>
      new ServerProcess({
        command: serverCommand(store, privateStore),
        args,
        share: { process, processes, port: port.port, secret, privateStore, commands },
      }, listener),
  });
  let draining = false;
  const drain = (withinS: number) => {
    if (draining) return;
    draining = true;
    log.info("stopping", { processes });
    void supervisor.stop(withinS * 1000 - LAST_MS).then(() => ended.resolve(0));
  };
  try {
    const url = await Promise.race([supervisor.start(), ended.promise]);
    port.release();
    await Deno.permissions.revoke({ name: "net" }); // whoever serves has its own
    if (typeof url === "number") return url;
    let stoppedMs: number | undefined;
    if (settings.apiKeysFile) process.on("SIGHUP", () => supervisor.reload());
    stop = () => {
      const nowMs = performance.now();
      if (stoppedMs !== undefined && nowMs - stoppedMs < SAME_SIGNAL_MS) return;
      if (stoppedMs !== undefined) return ended.resolve(0); // asked twice: at once
      stoppedMs = nowMs;
      drain(drainTimeoutS);
    };
    console.log(`listening on ${url}`);
    return await ended.promise;
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    sink.write(error.message);
    return error.code;
  } finally {
    supervisor.kill();
    port.release();
    if (privateStore) removePrivateStore(privateStore);
    await sink.flush(LAST_MS);
  }
}
