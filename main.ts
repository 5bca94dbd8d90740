/** `deno task start`: settings → models → app → listening → drain. */
import "./least_permissions.ts"; // first
import { Buffer } from "node:buffer";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { decoders, streamDecoders } from "./audio/decode.ts";
import { MAX_STREAM_CHANNELS } from "./audio/pcm.ts";
import { runCommand } from "./commands/cli.ts";
import { START } from "./commands/start.ts";
import { settingsInForce } from "./config/in_force.ts";
import { LIMITS } from "./config/limits.ts";
import type { MemoryPlan } from "./config/memory.ts";
import { keysOf, type ServerConfig, serverConfig, type ServerSettings } from "./config/server.ts";
import { SERVER_SETTINGS } from "./config/settings.ts";
import { EnginePool } from "./inference/pool.ts";
import { Log } from "./log.ts";
import { trimMemory } from "./memory_trim.ts";
import { Metrics } from "./metrics.ts";
import { exportLife, exportMetrics, exportsSettled } from "./metrics_export.ts";
import { loadModels } from "./model/heads/load.ts";
import type { Weights } from "./model/weights.ts";
import { endHungExits } from "./process_end.ts";
import { SupervisorLink } from "./processes/link.ts";
import { SUPERVISED } from "./processes/messages.ts";
import { shareOf } from "./processes/share.ts";
import { Profile } from "./profile.ts";
import { MemoryBudget } from "./recordings/memory_budget.ts";
import { type Administered, carryOut, catchUp } from "./routes/admin/carry_out.ts";
import { asker, type Command } from "./routes/admin/commands.ts";
import { reloadAtSignal } from "./routes/admin/reload.ts";
import { announce } from "./routes/announce.ts";
import { createApp } from "./routes/app.ts";
import type { ServerContext } from "./routes/context.ts";
import { descriptorLimit, socketBounds } from "./routes/descriptors.ts";
import { hostCheck } from "./routes/hosts.ts";
import { Keys } from "./routes/keys.ts";
import { requestBytes, serverMemory } from "./routes/memory_plan.ts";
import { listen, type RunningServer } from "./routes/server.ts";
import { watchStalls } from "./routes/stalls.ts";
import { workerEvents } from "./routes/worker_events.ts";
import { endAtSecondSignal, STOP_SIGNALS } from "./signals.ts";
import { Hub } from "./streaming/hub.ts";
import { streamLimits } from "./streaming/protocol/limits.ts";
import { openResumeStore } from "./streaming/session/open_store.ts";
import { StepSpans } from "./tracing.ts";

/** Time between two tables of `--profile`. */
const PROFILE_TABLE_MS = 60_000;
/** Time at the end of a stop to say that it took too long. */
const LAST_MS = 500;

let stop: (signal: string) => void = () => Deno.exit(0); // there is nothing to drain yet

/**
 * Serves until a signal ends it.
 *
 * @param options `args`: the words of the command line; `link`: the supervisor's, for one of
 *   several servers on a port
 */
async function start(
  settings: ServerSettings,
  { args, link }: { args: readonly string[]; link?: SupervisorLink },
): Promise<void> {
  for (const signal of STOP_SIGNALS) process.on(signal, () => stop(signal));
  const { wanted, config, models, memory } = await planned(settings, link);
  const { processes } = config;
  const sockets = socketBounds({ ...config, descriptors: descriptorLimit() });

  const log = new Log(config.logLevel, { fields: link && { process: link.share.process } });
  const metrics = new Metrics();
  const profile = config.profile ? new Profile(metrics.registry) : undefined;
  const keys = new Keys(config.apiKeys, {
    ...(link && { rates: link, secret: Buffer.from(link.share.secret, "base64") }),
  });

  await using undo = new AsyncDisposableStack();
  const pool = await startPool(config, { models, log, metrics, profile });
  undo.defer(() => pool.close()); // ONNX Runtime breaks down where a process ends beside its work
  decoders.onLost = streamDecoders.onLost = (error) => log.error("a decoder was lost", { error });
  decoders.start();
  const keptHere = Math.ceil(memory.maxKeptSessions / processes);
  const store = await openResumeStore({ ...config, maxKeptSessions: keptHere }, pool);
  if (store) metrics.storeWorks(store.works);
  const hub = new Hub(pool, {
    limits: streamLimits(config, (owner) => keys.maxStreamsOf(owner)),
    metrics,
    ...(store && { store }),
    ...(link && { places: link }),
    ...(profile && { frameClock: profile }),
    onOpen: (stream, names) => log.debug("stream opened", { ...stream, ...names }),
    onError: ({ code, message: error, cause }, names) =>
      log.info("stream ended", { code, error, ...names, cause: cause && String(cause) }),
    onStore(works) {
      if (works) return log.info("the store of sessions works again");
      const why = "the store of sessions does not answer: streams go on, but a resume may fail";
      log.warn(why, { cause: store?.problem && String(store.problem) });
    },
  });
  metrics.capacityUsed = () => hub.capacityUsed;

  const ctx: ServerContext = {
    config,
    pool,
    log,
    metrics,
    requestMemory: new MemoryBudget(Math.floor(memory.requests / processes)),
    phase: "serving",
  };
  const parts: Administered = {
    hub,
    pool,
    keys,
    keysOf: (text) => keysOf(settings, text),
    modelsFolder: dirname(resolve(config.models[0]!)), // there is always one
    fitMemory(models) {
      const bytes = requestBytes(wanted, models, memory);
      ctx.requestMemory.resize(Math.floor(bytes / processes));
    },
  };
  const askAll = asker(
    (command) => carryOut(command, parts),
    link && ((command, options) => link.administer(command, options)),
  );
  const inForce = settingsInForce(SERVER_SETTINGS, {
    args,
    environment: (name) => Deno.env.get(name),
    inForce: {
      workers: wanted.workers,
      maxStreams: memory.maxStreams,
      maxStreamsPerKey: settings.maxStreamsPerKey ?? settings.maxStreams,
      maxKeptSessions: memory.maxKeptSessions,
      memoryBudget: memory.budget,
      ...(settings.store === undefined && { store: store?.place ?? "memory:" }),
    },
  });
  const { apiKeysFile } = settings;
  const app = createApp(ctx, {
    hub,
    keys,
    admin: {
      askAll,
      keysFile: apiKeysFile,
      drain: (withinS) => link ? link.drain(withinS) : drain({}, withinS),
      drainTimeoutS: config.drainTimeoutS,
      settings: inForce,
    },
  });
  const server = await listen((request, env) => app.fetch(request, env as object), {
    ...config,
    knownHost: hostCheck(config),
    sockets,
    onDeaf({ error, giveUp }) {
      metrics.relistened();
      const cause = error === undefined ? {} : { error: String(error) };
      log.error("the server had stopped accepting connections and listens again", cause);
      if (!giveUp) return;
      log.error("the server cannot accept connections and ends", cause);
      void log.flush(1000).then(() => Deno.exit(1));
    },
  });
  undo.move(); // it serves: from here on shutDown() closes

  const drain = (by: Record<string, unknown>, withinS = config.drainTimeoutS) => {
    if (ctx.phase === "draining") return;
    ctx.phase = "draining";
    log.info("stopping", { ...by, streams: hub.size });
    void shutDown({ hub, server, pool, log, showProfile, isAlone: !link }, withinS * 1000);
  };
  const showProfile = () => {
    const table = link ? undefined : profile?.table(); // standard output is the link
    if (table) console.log(table);
  };
  const reload = () => void (apiKeysFile && reloadAtSignal(apiKeysFile, { askAll, log }));
  if (!link) await endAtSecondSignal();
  stop = (signal) => {
    if (link) return link.signalled(); // which says whether this server is meant
    drain({ signal });
  };
  if (apiKeysFile) process.on("SIGHUP", reload);
  if (link) {
    link.collect = async () => ({
      metrics: await metrics.registry.getMetricsAsJSON(),
      used: metrics.usage.take(),
    });
    metrics.text = () => link.metricsOfAll();
    metrics.usage.ofAll = (key) => link.usageOfAll(key);
    link.onStop = (whole, withinMs) => {
      if (ctx.phase === "draining") return;
      if (store && whole && link.share.privateStore) store.outlives = false;
      drain({}, withinMs && withinMs / 1000);
    };
    link.carryOut = (command) => carryOut(command as Command, parts);
    link.onReload = reload;
    await catchUp(link.share.commands as readonly Command[], { parts, log });
  }

  if (profile) setInterval(showProfile, PROFILE_TABLE_MS);
  trimMemory();
  watchStalls((seconds) => metrics.delayed(seconds));
  exportLife();
  exportMetrics(metrics.registry);
  exportMetrics(metrics.usage.registry);
  if (link) link.ready(server.url);
  else console.log(`listening on ${server.url}`);
  const isFirst = !link || link.share.process === 1;
  announce(log, {
    url: server.url,
    pool,
    memory,
    wanted,
    store,
    keys,
    ...(isFirst && { settings: inForce }),
  });
}

/**
 * What the settings and the machine allow.
 *
 * @returns `wanted`: of all servers on the port, as asked for; `config`: this one's, within the
 *   memory
 */
async function planned(
  settings: ServerSettings,
  link?: SupervisorLink,
): Promise<{ wanted: ServerConfig; config: ServerConfig; models: Weights[]; memory: MemoryPlan }> {
  const wanted = serverConfig(settings);
  const models = await loadModels(wanted.models, wanted.heads);
  const memory = serverMemory(wanted, models);
  const { maxStreams, maxKeptSessions } = memory;
  const share = link ? shareOf(wanted, link.share) : wanted;
  return { wanted, models, memory, config: { ...share, maxStreams, maxKeptSessions } };
}

/** Starts the model workers, with room for streams and recordings. */
async function startPool(
  config: ServerConfig,
  { models, log, metrics, profile }: {
    models: readonly Weights[];
    log: Log;
    metrics: Metrics;
    profile?: Profile;
  },
): Promise<EnginePool> {
  const spans = new StepSpans();
  const pool = await EnginePool.start({
    ...config,
    models,
    // every channel of a recording may be a stream
    maxStreams: config.maxStreams + LIMITS.fileStreams * MAX_STREAM_CHANNELS,
    onStep(step) {
      metrics.stepTaken(step);
      spans.taken(step);
      profile?.stepTaken(step);
    },
    events: workerEvents({ log, metrics }),
  });
  metrics.workersAlive = () => pool.alive;
  return pool;
}

/** Ends the process with status 0 within `withinMs`, whatever clients and workers do. */
async function shutDown(
  { hub, server, pool, log, showProfile, isAlone }: {
    hub: Hub;
    server: RunningServer;
    pool: EnginePool;
    log: Log;
    showProfile: () => void;
    isAlone: boolean;
  },
  withinMs: number,
): Promise<void> {
  const endMs = performance.now() + withinMs - LAST_MS;
  const leftMs = () => Math.max(0, endMs - performance.now());
  setTimeout(() => {
    log.warn("stopping took too long: what was left is cut off");
    void log.flush(LAST_MS / 2).then(() => Deno.exit(0));
  }, leftMs());
  await hub.drain(leftMs() / 2);
  await hub.store.close();
  // others on the port take its connections; alone, it tells them that it stops (503)
  if (isAlone) await server.answered(leftMs() / 2);
  await server.close(leftMs() / 2);
  decoders.close();
  streamDecoders.close();
  await pool.close();
  showProfile();
  await log.flush(leftMs());
  await exportsSettled();
  Deno.exit(0);
}

if (Deno.env.get("OTEL_DENO")) await endHungExits();
const link = Deno.args[0] === SUPERVISED ? await SupervisorLink.open() : undefined;
const args = link?.args ?? Deno.args;
const status = await runCommand(START, async (settings) => {
  if (link || settings.processes === 1) return await start(settings, { args, link });
  const { superviseApart } = await import("./processes/supervise_apart.ts");
  // its thread acts on signals, and ends before this process does
  for (const signal of STOP_SIGNALS) process.on(signal, () => {});
  exportLife();
  const status = await superviseApart(args);
  await exportsSettled();
  Deno.exit(status);
}, { args });
if (status !== 0) Deno.exit(status);
