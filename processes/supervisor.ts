/**
 * Keeps a number of servers running on one port: starts them, starts lost ones again, counts for
 * all of them, and ends them together.
 */
import type { Log } from "../log.ts";
import { RequestRates } from "../routes/rates.ts";
import { MetricsOfAll } from "./metrics_of_all.ts";
import type { FromServer, ToServer } from "./messages.ts";
import { Places } from "./places.ts";
import type { Ending, ServerListener } from "./server_process.ts";

/** Time before a lost server is started again: none at first, then `first`, doubled to `most`. */
const BACK_OFF_MS = { first: 1000, most: 30_000 } as const;
/** A server that ran so long may fail at once again. */
const LASTED_MS = 60_000;
/** How often a server may end before any has served. */
const FIRST_TRIES = 5;
/** Time between two looks whether servers still answer. */
const LOOK_MS = 5000;
/** A server that has been silent for so long is lost. */
const SILENT_MS = 30_000;
/** How long metrics wait for a server; what it told before is taken then. */
const METRICS_MS = 1000;
/** A signal to all processes reaches a server before, or after, its supervisor. */
const SAME_SIGNAL_MS = 100;

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
  /** Starts a server, 1 … processes. */
  readonly launch: (process: number, listener: ServerListener) => Supervised;
  readonly log: Log;
  /** Takes lines of the servers' logs. */
  readonly logged: (line: string) => void;
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
  /** When it last answered. */
  heardMs: number;
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
  readonly #slots: readonly Slot[];
  readonly #places = new Places();
  readonly #rates = new RequestRates();
  readonly #metrics = new MetricsOfAll(() => this.#ready.length);
  readonly #started = Promise.withResolvers<string>();
  readonly #stopped = Promise.withResolvers<void>();
  /** Servers that are asked for their metrics. */
  readonly #asked = new Map<number, () => void>();
  #questions = 0;
  #url?: string;
  #stopping = false;
  #look?: ReturnType<typeof setInterval>;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.processes }, (_, i) => ({
      process: i + 1,
      startedMs: 0,
      heardMs: 0,
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
    this.#look = setInterval(() => void this.#collect(), LOOK_MS);
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
      if (server?.isReady) server.tell({ type: "stop", whole: true });
      else server?.kill();
    }
    const late = setTimeout(() => this.kill(), withinMs);
    this.#checkStopped();
    await this.#stopped.promise;
    clearTimeout(late);
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
    slot.startedMs = slot.heardMs = performance.now();
    slot.retiring = false;
    slot.server = this.#options.launch(slot.process, {
      said: (message) => void this.#said(slot, message),
      logged: this.#options.logged,
      ended: (ending) => void this.#ended(slot, ending),
    });
  }

  async #said(slot: Slot, message: FromServer): Promise<void> {
    const { process, server } = slot;
    const answer = (id: number, value: string | number | null) =>
      server?.tell({ type: "answer", id, value });
    slot.heardMs = performance.now();
    switch (message.type) {
      case "ready":
        slot.tried = true;
        this.#url ??= message.url;
        if (slot.failures > 0) this.#options.log.info("a server was started again", { process });
        return this.#checkStarted();
      case "signalled":
        return void setTimeout(() => this.#retire(slot), SAME_SIGNAL_MS);
      case "take": {
        const { id, place, most, ownMost, owner, streams, session } = message;
        const wanted = { owner, streams, session };
        const full = this.#places.take(process, { place, wanted, bounds: { most, ownMost } });
        return answer(id, full ?? null);
      }
      case "name":
        return this.#places.name(process, message);
      case "leave":
        return this.#places.leave(process, message.place);
      case "spend":
        return answer(message.id, this.#rates.spend(message.owner, message.perMinute));
      case "metrics":
        await this.#collect();
        return answer(message.id, await this.#metrics.text());
      case "collected":
        this.#metrics.told(process, message.metrics);
        return this.#asked.get(message.id)?.();
    }
  }

  /** A signal came to one server alone: it drains, and another takes its place. */
  #retire(slot: Slot): void {
    if (this.#stopping || slot.retiring || !slot.server) return;
    slot.retiring = true;
    this.#options.log.info("a server ends alone", { process: slot.process });
    slot.server.tell({ type: "stop", whole: false });
  }

  /** Asks all servers for their metrics. One that has not answered for long is ended. */
  async #collect(): Promise<void> {
    await Promise.all(this.#ready.map(async (slot) => {
      if (performance.now() - slot.heardMs > SILENT_MS && !slot.retiring) {
        this.#options.log.error("a server no longer answers", { process: slot.process });
        slot.server?.kill();
        return;
      }
      const id = ++this.#questions;
      const { promise, resolve } = Promise.withResolvers<void>();
      const late = setTimeout(resolve, METRICS_MS);
      this.#asked.set(id, resolve);
      slot.server?.tell({ type: "collect", id });
      await promise;
      clearTimeout(late);
      this.#asked.delete(id);
    }));
  }

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
    if (performance.now() - startedMs >= LASTED_MS) slot.failures = 0;
    const waitMs = retiring ? 0 : backOffMs(slot.failures);
    slot.failures++;
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

  #checkStarted(): void {
    if (this.#url === undefined || this.#slots.some(({ tried }) => !tried)) return;
    this.#started.resolve(this.#url);
  }
}

function backOffMs(failures: number): number {
  const { first, most } = BACK_OFF_MS;
  return failures === 0 ? 0 : Math.min(first * 2 ** (failures - 1), most);
}

function failureOf({ process, failures }: Slot, { code, signal, words }: Ending): StartFailure {
  const how = signal ? `signal ${signal}` : `status ${code}`;
  const times = failures > 0 ? `, ${failures} times` : "";
  const why = `server ${process} ended with ${how}${times} before any served`;
  return new StartFailure(words.length > 0 ? words.join("\n") : `deno task start: ${why}`, code);
}
