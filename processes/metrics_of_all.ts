/** The metrics of all servers as those of one. */
import { AggregatorRegistry, Counter, Gauge, Registry } from "prom-client";
import { Usage } from "../usage.ts";
import { type MetricsSnapshot, snapshotSchema } from "./messages.ts";

/** Adds up what servers report. What a server counted stays after its end. */
export class MetricsOfAll {
  readonly #latest = new Map<number, MetricsSnapshot>();
  /** What servers that have ended had counted: of several that end together, one after the other. */
  #ended: Promise<MetricsSnapshot> = Promise.resolve([]);
  readonly #own = new Registry();
  /** What each key uses on all servers. */
  readonly usage: Usage = new Usage();
  readonly #restarts = new Counter({
    name: "cpc_process_restarts_total",
    help: "Servers of --processes that were lost and started again",
    registers: [this.#own],
  });

  /** @param serving says how many servers serve now */
  constructor(serving: () => number) {
    new Gauge({
      name: "cpc_processes",
      help: "Servers of --processes that serve",
      registers: [this.#own],
      collect() {
        this.set(serving());
      },
    });
  }

  /** A server has told its metrics. */
  told(server: number, metrics: MetricsSnapshot): void {
    this.#latest.set(server, metrics);
  }

  /** A server has ended: what it last told is kept, except for the present state of things. */
  async ended(server: number): Promise<void> {
    const last = this.#latest.get(server) ?? [];
    this.#latest.delete(server);
    const counts = last.filter(({ type }) => type === "counter" || type === "histogram");
    this.#ended = this.#ended.then((ended) => snapshotOf(sum([ended, counts])));
    await this.#ended;
  }

  restarted(): void {
    this.#restarts.inc();
  }

  /** All of it, as Prometheus reads it. */
  async text(): Promise<string> {
    const [latest, own] = [[...this.#latest.values()], snapshotOf(this.#own)]; // as they are now
    const sums = await sum([...latest, await this.#ended, await own]).metrics();
    return sums + await this.usage.text();
  }
}

async function snapshotOf(registry: Registry): Promise<MetricsSnapshot> {
  return snapshotSchema.parse(await registry.getMetricsAsJSON());
}

function sum(snapshots: MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate(snapshots);
}
