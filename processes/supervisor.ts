/**
 * Keeps a number of servers running on one port: starts them, starts lost ones again, counts for
 * all of them, and ends them together.
 */
import type { Log } from "../log.ts";
import { RequestRates } from "../routes/rates.ts";
import { SAME_SIGNAL_MS } from "../signals.ts";
import { MetricsOfAll } from "./metrics_of_all.ts";
import type { FromServer, PassedCommand, ToServer } from "./messages.ts";
import { Places } from "./places.ts";
import { Questions } from "./questions.ts";
import type { Ending, ServerListener } from "./server_process.ts";
import { SettledCommands } from "./settled_commands.ts";
import { shared } from "./shared.ts";

/** Times of a supervisor, in milliseconds. */
export interface SupervisorTimes {
  /** Before a lost server is started again: none at first, then this, doubled each time. */
  readonly backOffMs: number;
  readonly mostBackOffMs: number;
  /** A server that ran so long may fail at once again. */
  readonly lastedMs: number;
  /** Between two looks whether servers still answer. */
  readonly lookMs: number;
  /** A server that has been silent for so long is lost. */
  readonly silentMs: number;
  /** How long metrics wait for a server; what it told before is taken then. */
  readonly metricsMs: number;
  /** A signal to all processes may reach a server before its supervisor. */
  readonly sameSignalMs: number;
}

/** Times in production. */
export const SUPERVISOR_TIMES: SupervisorTimes = {
  backOffMs: 1000,
  mostBackOffMs: 30_000,
  lastedMs: 60_000,
  lookMs: 5000,
  silentMs: 30_000,
  metricsMs: 1000,
  sameSignalMs: SAME_SIGNAL_MS,
};

/** How often a server may end before any has served. */
const FIRST_TRIES = 5;

/** What the supervisor needs of a server. */
export interface Supervised {
  readonly pid: number;
  readonly isReady: boolean;
  tell(message: ToServer): void;
  kill(): void;
}

/** What a supervisor needs. */
export interface SupervisorOptions {
  readonly processes: number;
  /** Starts a server, 1 … processes; `commands`: what administrators have settled so far. */
  readonly launch: (
    process: number,
    listener: ServerListener,
    commands: readonly PassedCommand[],
  ) => Supervised;
  readonly log: Log;
  /** Takes lines of the servers' logs. */
  readonly logged: (line: string) => void;
  /** An administrator wants all servers to stop, within so many seconds. */
  readonly onDrain: (withinS: number) => void;
  /** Tests bring their own. */
  readonly times?: SupervisorTimes;
}

/** Why no server could be started. */
export class StartFailure extends Error {
  override readonly name = "StartFailure";
  /** The exit status of the server. */
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

/** The place of a server, whichever process fills it. */
interface Slot {
  readonly process: number;
  server?: Supervised;
  startedMs: number;
  /** Looks since it was last heard. */
  unheard: number;
  failures: number;
  /** Served once, or ended once. */
  tried: boolean;
  /** Ends because it was asked to, alone. */
  retiring: boolean;
  restart?: ReturnType<typeof setTimeout>;
}

/** Runs the servers. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #times: SupervisorTimes;
  readonly #slots: readonly Slot[];
  readonly #places = new Places();
  readonly #rates = new RequestRates();
  readonly #metrics = new MetricsOfAll(() => this.#ready.length);
  readonly #started = Promise.withResolvers<string>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #questions = new Questions();
  readonly #commands: SettledCommands;
  #url?: string;
  #stopping = false;
  #look?: ReturnType<typeof setInterval>;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#commands = new SettledCommands(this.#questions, options.log);
    this.#times = options.times ?? SUPERVISOR_TIMES;
    this.#slots = Array.from({ length: options.processes }, (_, i) => ({
      process: i + 1,
      startedMs: 0,
      unheard: 0,
      failures: 0,
      tried: false,
      retiring: false,
    }));
  }

  get #ready(): Slot[] {
    return this.#slots.filter(({ server }) => server?.isReady);
  }

  /**
   * Starts the servers.
   *
   * @returns their URL, once each of them serves or has failed once
   * @throws {StartFailure} if one refuses its settings, or none serves after some tries
   */
  async start(): Promise<string> {
    for (const slot of this.#slots) this.#launch(slot);
    this.#look = setInterval(() => void this.#check(), this.#times.lookMs);
    try {
      return await this.#started.promise;
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /** Has all servers drain; resolves when they have ended, or were ended after `withinMs`. */
  async stop(withinMs: number): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#look);
    for (const { server, restart } of this.#slots) {
      clearTimeout(restart);
      if (server?.isReady) server.tell({ type: "stop", whole: true, withinMs });
      else server?.kill();
    }
    const late = setTimeout(() => this.kill(), withinMs);
    this.#checkStopped();
    await this.#stopped.promise;
    clearTimeout(late);
  }

  /** Has one server see to it that all read the keys again. */
  reload(): void {
    const [slot] = this.#ready;
    if (slot) slot.server?.tell({ type: "reload" });
    else this.#options.log.error("no server is there to read the keys again");
  }

  /** Ends all servers at once. */
  kill(): void {
    this.#stopping = true;
    clearInterval(this.#look);
    for (const { server, restart } of this.#slots) {
      clearTimeout(restart);
      server?.kill();
    }
  }

  #checkStopped(): void {
    if (this.#stopping && this.#slots.every(({ server }) => !server)) this.#stopped.resolve();
  }

  #launch(slot: Slot): void {
    slot.startedMs = performance.now();
    slot.unheard = 0;
    slot.retiring = false;
    slot.server = this.#options.launch(slot.process, {
      said: (message) => void this.#said(slot, message),
      logged: this.#options.logged,
      ended: (ending) => void this.#ended(slot, ending),
    }, this.#commands.begin(slot.process));
  }

  async #said(slot: Slot, message: FromServer): Promise<void> {
    const { process, server } = slot;
    const answer = (id: number, value: string | number | null) =>
      server?.tell({ type: "answer", id, value });
    slot.unheard = 0;
    switch (message.type) {
      case "ready":
        if (slot.tried) this.#options.log.info("a server was started again", { process });
        slot.tried = true;
        this.#url ??= message.url;
        this.#commands.catchUp(slot);
        return this.#checkStarted();
      case "signalled":
        return void setTimeout(() => this.#retire(slot), this.#times.sameSignalMs);
      case "take": {
        const { id, place, most, ownMost, owner, streams, session } = message;
        const wanted = { owner, streams, session };
        const full = this.#places.take(process, { place, wanted, bounds: { most, ownMost } });
        return answer(id, full ?? null);
      }
      case "name":
        return this.#places.name(process, message);
      case "grow": {
        const { id, place, streams, ...bounds } = message;
        return answer(id, this.#places.grow(process, { place, streams, bounds }) ?? null);
      }
      case "leave":
        return this.#places.leave(process, message.place);
      case "spend":
        return answer(message.id, this.#rates.spend(message.owner, message.perMinute));
      case "metrics":
        await this.#collect();
        return answer(message.id, await this.#metrics.text());
      case "usage":
        await this.#collect();
        return answer(message.id, JSON.stringify(await this.#metrics.usage.of(message.key)));
      case "collected":
        this.#metrics.told(process, message.metrics);
        for (const [key, used] of message.used) this.#metrics.usage.addAll(key, used);
        return this.#questions.answered(message.id);
      case "administer":
        return answer(
          message.id,
          JSON.stringify(await this.#commands.carryOut(() => this.#ready, message)),
        );
      case "administered":
        return this.#questions.answered(message.id, message.told);
      case "drain":
        return this.#options.onDrain(message.withinS);
    }
  }

  /** A signal came to one server alone: it drains, and another takes its place. */
  #retire(slot: Slot): void {
    if (this.#stopping || slot.retiring || !slot.server) return;
    slot.retiring = true;
    this.#options.log.info("a server ends alone", { process: slot.process });
    slot.server.tell({ type: "stop", whole: false });
  }

  /** Ends servers that have not answered for long, and asks the others. */
  async #check(): Promise<void> {
    const { silentMs, lookMs } = this.#times;
    for (const slot of this.#ready) {
      if (slot.unheard++ * lookMs < silentMs || slot.retiring) continue;
      this.#options.log.error("a server no longer answers", { process: slot.process });
      slot.server?.kill();
    }
    await this.#collect();
  }

  /** Asks all servers for their metrics, and for what is new of their keys. */
  readonly #collect: () => Promise<void> = shared(async () => {
    const { metricsMs: withinMs } = this.#times;
    const asked = this.#ready.map(({ server }) =>
      this.#questions.ask(server, { type: "collect" }, { withinMs })
    );
    await Promise.all(asked);
  });

  async #ended(slot: Slot, ending: Ending): Promise<void> {
    const { process, retiring, startedMs } = slot;
    const pid = slot.server?.pid;
    slot.server = undefined;
    this.#places.forget(process);
    await this.#metrics.ended(process);
    if (this.#stopping) return this.#checkStopped();
    const { code, signal, words } = ending;
    const isRefused = signal === null && (code === 1 || code === 2);
    slot.tried = true;
    if (this.#url === undefined && isRefused) return this.#started.reject(failureOf(slot, ending));
    if (performance.now() - startedMs >= this.#times.lastedMs) slot.failures = 0;
    const waitMs = retiring ? 0 : this.#backOffMs(slot.failures++);
    if (this.#url === undefined && slot.failures >= FIRST_TRIES) {
      return this.#started.reject(failureOf(slot, ending));
    }
    for (const word of words) this.#options.logged(word);
    if (!retiring) {
      const loss = { process, pid, code, ...(signal && { signal }), restart_ms: waitMs };
      this.#options.log.error("a server was lost", loss);
      this.#metrics.restarted();
    }
    slot.restart = setTimeout(() => this.#launch(slot), waitMs);
    this.#checkStarted();
  }

  #backOffMs(failures: number): number {
    const { backOffMs, mostBackOffMs } = this.#times;
    return failures === 0 ? 0 : Math.min(backOffMs * 2 ** (failures - 1), mostBackOffMs);
  }

  #checkStarted(): void {
    if (this.#url === undefined || this.#slots.some(({ tried }) => !tried)) return;
    this.#started.resolve(this.#url);
  }
}

function failureOf({ process, failures }: Slot, { code, signal, words }: Ending): StartFailure {
  const how = signal ? `signal ${signal}` : `status ${code}`;
  const times = failures > 0 ? `, ${failures} times` : "";
  const why = `server ${process} ended with ${how}${times} before any served`;
  return new StartFailure(words.length > 0 ? words.join("\n") : `deno task start: ${why}`, code);
}
