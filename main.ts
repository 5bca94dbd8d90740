/** `deno task start`: settings → models → app → listening → drain. */
import process from "node:process";
import { closeDecoders } from "./audio/decode.ts";
import { runCommand } from "./commands/cli.ts";
import { START } from "./commands/start.ts";
import { LIMITS } from "./config/limits.ts";
import { serverConfig, type ServerSettings } from "./config/server.ts";
import { Log } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { loadWeights } from "./model/weights.ts";
import { createApp } from "./routes/app.ts";
import { Keys } from "./routes/keys.ts";
import type { ServerContext } from "./routes/context.ts";
import { descriptorLimit, socketLimit } from "./routes/descriptors.ts";
import { listen } from "./routes/server.ts";
import { Hub } from "./streaming/hub.ts";
import { EnginePool } from "./inference/pool.ts";
import { streamLimits } from "./streaming/protocol/limits.ts";

let stop: (signal: string) => void = () => Deno.exit(0); // there is nothing to drain yet

async function start(settings: ServerSettings): Promise<void> {
  const config = serverConfig(settings);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop(signal));
  const maxSockets = socketLimit({ ...config, descriptors: descriptorLimit() });
  const [log, metrics, keys] = [new Log(config.logLevel), new Metrics(), new Keys(config.apiKeys)];
  const models = await Promise.all(config.models.map(loadWeights));
  const maxStreams = config.maxStreams + LIMITS.fileStreams;
  const pool = await EnginePool.start({
    ...config,
    models,
    maxStreams,
    onStep: (step) => metrics.stepTaken(step),
  });
  const hub = new Hub(pool, {
    limits: streamLimits(config, (owner) => keys.maxStreamsOf(owner)),
    metrics,
    onError: ({ code, message: error, cause }, fields) =>
      log.info("stream ended", { code, error, ...fields, cause: cause && String(cause) }),
  });
  const ctx: ServerContext = { config, pool, log, metrics, phase: "serving" };
  const app = createApp(ctx, { hub, keys });
  const server = await listen((request, env) => app.fetch(request, env as object), {
    ...config,
    maxSockets,
    onDeaf({ error, giveUp }) {
      metrics.relistened();
      const cause = error === undefined ? {} : { error: String(error) };
      log.error("the server had stopped accepting connections; it listens anew", cause);
      if (!giveUp) return;
      log.error("the server cannot accept connections and ends", cause);
      void log.flush(1000).then(() => Deno.exit(1));
    },
  });
  const drain = async (signal: string) => {
    if (ctx.phase === "draining") return;
    ctx.phase = "draining";
    log.info("stopping", { signal, streams: hub.size });
    await hub.drain();
    await server.close(LIMITS.drainMs);
    closeDecoders();
    await pool.close();
    await log.flush(1000);
    Deno.exit(0);
  };
  stop = (signal) => void drain(signal);
  console.log(`listening on ${server.url}`);
  const { engine, device, precision, backend, size: workers } = pool;
  log.info("serving", {
    url: server.url,
    models: [...pool.models.keys()],
    engine,
    device,
    precision,
    ...backend,
    workers,
  });
  if (backend.warning) log.warn(backend.warning, { engine, device });
}

const status = await runCommand(START, start, { args: Deno.args });
if (status !== 0) Deno.exit(status);
