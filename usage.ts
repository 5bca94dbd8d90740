/** What each key uses, by day: metrics, and what a key may ask for itself. */
import { setTimeout as delay } from "node:timers/promises";
import { AggregatorRegistry, Counter, Registry } from "prom-client";

/** Days that are kept. */
const DAYS = 31;
const DAY_MS = 86_400_000;
/** Series that become text at once: it takes a few milliseconds. */
const PART_SERIES = 500;
/** Members of a day, and the metric of each. */
const METRICS = {
  audio_seconds: "cpc_usage_audio_seconds_total",
  frames: "cpc_usage_frames_total",
  requests: "cpc_usage_requests_total",
} as const;
type Measure = keyof typeof METRICS;

/** What a key used in some time. */
export type Used = Partial<Record<Measure, number>>;

/** What was used on a day. */
export type DayOfUse = { day: string } & Record<Measure, number>;

/**
 * Counts by key, in metrics, and by key and day. Every message is counted, so metrics get what has
 * added up when they are read. Of several servers on one port the supervisor counts, and each of
 * them tells what is new: all metrics of thousands of keys take long to tell.
 */
export class Usage {
  /** The metrics, apart from all others since they have a series for each key. */
  readonly registry: Registry = new Registry();
  /** The days of a key, of all servers, where several share a port: this one then keeps none. */
  ofAll?: (key: string) => Promise<DayOfUse[]>;
  readonly #counters: Record<Measure, Counter>;
  readonly #dateMs: () => number;
  /** By key and day, without the news. */
  readonly #days = new Map<string, Map<string, DayOfUse>>();
  /** Days since 1970, and the last one's name. */
  #day = { number: NaN, name: "" };
  /** Of that day, by key: what is not counted there and in the metrics yet. */
  readonly #news = new Map<string, Used>();
  /** By key: what the supervisor does not know yet. */
  readonly #untold = new Map<string, Used>();

  /** @param options `dateMs`: the time of day (tests bring their own) */
  constructor({ dateMs = Date.now }: { dateMs?: () => number } = {}) {
    const counter = (measure: Measure, help: string) =>
      new Counter({
        name: METRICS[measure],
        help,
        labelNames: ["key"],
        registers: [this.registry],
        collect: () => this.#settle(),
      });
    this.#counters = {
      audio_seconds: counter("audio_seconds", "Seconds of audio, by key"),
      frames: counter("frames", "Frames, by key"),
      requests: counter("requests", "HTTP requests, by key"),
    };
    this.#dateMs = dateMs;
  }

  /** Counts something of a key; "" on a server without keys. */
  add(key: string, measure: Measure, count: number): void {
    this.#begin();
    for (const sums of this.ofAll ? [this.#news, this.#untold] : [this.#news]) {
      let used = sums.get(key);
      if (!used) sums.set(key, used = {});
      used[measure] = (used[measure] ?? 0) + count;
    }
  }

  /** Counts what a key used in some time. */
  addAll(key: string, used: Used): void {
    for (const [measure, count] of Object.entries(used)) this.add(key, measure as Measure, count);
  }

  /** What each key has used since the last call, for the supervisor of several servers. */
  take(): [key: string, used: Used][] {
    const untold = [...this.#untold];
    this.#untold.clear();
    return untold;
  }

  /** Counts the news. */
  #settle(): void {
    const { name: day } = this.#day;
    for (const [key, news] of this.#news) {
      const used = this.ofAll ? undefined : this.#days.get(key)?.get(day) ?? this.#keep(key, day);
      for (const [measure, count] of Object.entries(news)) {
        if (used) used[measure as Measure] += count;
        this.#counters[measure as Measure].inc({ key }, count);
      }
    }
    this.#news.clear();
  }

  /** The metrics as Prometheus reads them, written a part at a time. */
  async text(): Promise<string> {
    const parts: string[] = [];
    for (const { values, ...metric } of await this.registry.getMetricsAsJSON()) {
      for (let from = 0; from === 0 || from < values.length; from += PART_SERIES) {
        const part = { ...metric, values: values.slice(from, from + PART_SERIES) };
        const text = await AggregatorRegistry.aggregate([[part]]).metrics();
        parts.push(from === 0 ? text : text.replace(/^#.*\n/gm, ""));
        if (from > 0) await delay(0);
      }
    }
    return parts.join("");
  }

  /** The days of a key, the oldest first. */
  async of(key: string): Promise<DayOfUse[]> {
    if (this.ofAll) return await this.ofAll(key);
    this.#settle();
    const days = this.#days.get(key)?.values() ?? [];
    return [...days].sort((a, b) => a.day < b.day ? -1 : 1);
  }

  /** Begins the day, in UTC, if it has come. */
  #begin(): void {
    const number = Math.floor(this.#dateMs() / DAY_MS);
    if (number === this.#day.number) return;
    this.#settle();
    this.#day = { number, name: nameOfDay(number) };
  }

  /** Counts the day of a key, and forgets those that are too old. */
  #keep(key: string, day: string): DayOfUse {
    const days = this.#days.get(key) ?? new Map<string, DayOfUse>();
    const used = noUse(day);
    this.#days.set(key, days.set(day, used));
    const oldest = nameOfDay(this.#day.number - DAYS);
    for (const day of days.keys()) {
      if (day <= oldest) days.delete(day);
    }
    return used;
  }
}

/** @param number days since 1970 */
function nameOfDay(number: number): string {
  return new Date(number * DAY_MS).toISOString().slice(0, 10);
}

function noUse(day: string): DayOfUse {
  return { day, audio_seconds: 0, frames: 0, requests: 0 };
}
