/** What a server has of its supervisor: its share of the whole, and answers. */
import { CpcError } from "../errors.ts";
import type { Rates } from "../routes/rates.ts";
import type { Place, PlacesOfAll, WantedPlace } from "../streaming/places.ts";
import type { DayOfUse, Used } from "../usage.ts";
import { linesOf, LineWriter } from "./lines.ts";
import { type Share, type ToServer, toServerSchema } from "./messages.ts";
import { removePrivateStore } from "./private_store.ts";
import { shared } from "./shared.ts";

/** How long a question may wait for its answer. */
const ANSWER_MS = 5000;

/** The link of a server to its supervisor. A server ends with it. */
export class SupervisorLink implements PlacesOfAll, Rates {
  readonly args: readonly string[];
  readonly share: Share;
  /** The server's metrics and what is new of its keys, when the supervisor asks for them. */
  collect: () => Promise<{ metrics: readonly object[]; used: readonly [string, Used][] }> = () =>
    Promise.resolve({ metrics: [], used: [] });
  /** The server has to end; `whole`: all the others do so too. */
  onStop: (whole: boolean, withinMs?: number) => void = () => Deno.exit(0); // nothing to drain yet
  /** Carries an administrator's command out. */
  carryOut: (command: object) => Promise<object> = () => Promise.reject(new TypeError("too early"));
  /** The keys have to be read again, by all servers. */
  onReload: () => void = () => {};
  readonly #to = new LineWriter(Deno.stdout.writable);
  readonly #questions = new Map<number, (value: string | number | null) => void>();
  #lastId = 0;

  private constructor({ args, share }: ToServer & { type: "begin" }) {
    this.args = args;
    this.share = share;
  }

  /** Waits for the supervisor's first message. */
  static async open(): Promise<SupervisorLink> {
    const lines = linesOf(Deno.stdin.readable);
    const { value } = await lines.next();
    const begin = value === undefined ? undefined : toServerSchema.parse(JSON.parse(value));
    if (begin?.type !== "begin") Deno.exit(1); // the supervisor has gone, or there was none
    const link = new SupervisorLink(begin);
    void link.#follow(lines);
    return link;
  }

  /** The server serves. */
  ready(url: string): void {
    this.#to.send({ type: "ready", url });
  }

  /** A signal came: whether to end is for the supervisor to say. */
  signalled(): void {
    this.#to.send({ type: "signalled" });
  }

  async take(
    { owner, streams, session, most, ownMost }: WantedPlace,
  ): Promise<Place | "server" | "key"> {
    const place = ++this.#lastId;
    const bounds = { most, ...(Number.isFinite(ownMost) && { ownMost }) };
    const leave = () => this.#to.send({ type: "leave", place });
    const isFull = async (question: object) => {
      const full = await this.#ask({ ...question, place, ...bounds });
      return full === "server" || full === "key" ? full : undefined;
    };
    try {
      const full = await isFull({ type: "take", owner, streams, session });
      if (full) return full;
    } catch (error) {
      leave(); // the answer may still come
      throw error;
    }
    return {
      async grow(more) {
        return more > streams ? await isFull({ type: "grow", streams: more }) : undefined;
      },
      name: (session, streams) => this.#to.send({ type: "name", place, session, streams }),
      leave,
    };
  }

  async spend(owner: string, perMinute: number): Promise<number> {
    return Number(await this.#ask({ type: "spend", owner, perMinute }));
  }

  /** The metrics of all servers, as Prometheus reads them; collected once for all who ask. */
  readonly metricsOfAll: () => Promise<string> = shared(async () =>
    String(await this.#ask({ type: "metrics" }))
  );

  /** What a key has used, by day, on all servers. */
  async usageOfAll(key: string): Promise<DayOfUse[]> {
    return JSON.parse(String(await this.#ask({ type: "usage", key })));
  }

  /** Has all servers carry a command out; gives their answers. */
  async administer(
    command: object,
    options: { withinMs: number; settles?: string },
  ): Promise<readonly object[]> {
    const question = { type: "administer", command, ...options };
    return JSON.parse(String(await this.#ask(question, options.withinMs + ANSWER_MS)));
  }

  /** Has all servers stop. */
  drain(withinS: number): void {
    this.#to.send({ type: "drain", withinS });
  }

  #ask(question: object, withinMs = ANSWER_MS): Promise<string | number | null> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#questions.delete(id);
        const why = "the supervisor of the servers does not answer; try again later";
        reject(new CpcError("overloaded", why, { retryAfterMs: ANSWER_MS }));
      }, withinMs);
      this.#questions.set(id, (value) => {
        clearTimeout(late);
        this.#questions.delete(id);
        resolve(value);
      });
      this.#to.send({ ...question, id });
    });
  }

  async #follow(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) {
      const message = toServerSchema.parse(JSON.parse(line));
      if (message.type === "answer") this.#questions.get(message.id)?.(message.value);
      else if (message.type === "stop") this.onStop(message.whole, message.withinMs);
      else if (message.type === "reload") this.onReload();
      else if (message.type === "administer") {
        const { id, command } = message;
        void this.carryOut(command)
          .then((told) => this.#to.send({ type: "administered", id, told }));
      } else if (message.type === "collect") {
        const { id } = message;
        void this.collect().then((told) => this.#to.send({ type: "collected", id, ...told }));
      }
    }
    // it has ended, and whoever waits here waits for nothing
    if (this.share.privateStore) removePrivateStore(this.share.privateStore);
    Deno.exit(1);
  }
}
