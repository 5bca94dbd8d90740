/** What each key uses, by day: metrics, and what a key may ask for itself. */
import { Counter, type Registry } from "prom-client";

/** Days that are kept. */
const DAYS = 31;
const DAY_MS = 86_400_000;
/** Members of a day, and the metric of each. */
const METRICS = {
  audio_seconds: "cpc_usage_audio_seconds_total",
  frames: "cpc_usage_frames_total",
  requests: "cpc_usage_requests_total",
} as const;
type Measure = keyof typeof METRICS;

/** What was used on a day. */
export type DayOfUse = { day: string } & Record<Measure, number>;

/**
 * Counts by key and day, in metrics whose labels are bounded by the keys of the server and by
 * {@linkcode DAYS}. Several servers on one port so have one count. Every message is counted, so
 * metrics get what has added up when they are read.
 */
export class Usage {
  /** The metrics of all servers, as Prometheus reads them, where several share a port. */
  textOfAll?: () => Promise<string>;
  readonly #counters: Record<Measure, Counter>;
  readonly #dateMs: () => number;
  /** By key and day, what the metrics have. */
  readonly #days = new Map<string, Map<string, DayOfUse>>();
  /** Days since 1970, and the last one's name. */
  #day = { number: NaN, name: "" };
  /** Of that day, by key: what the metrics do not have yet. */
  readonly #news = new Map<string, Partial<Record<Measure, number>>>();

  /**
   * @param registry where the metrics are
   * @param options `dateMs`: the time of day (tests bring their own)
   */
  constructor(registry: Registry, { dateMs = Date.now }: { dateMs?: () => number } = {}) {
    const counter = (measure: Measure, help: string) =>
      new Counter({
        name: METRICS[measure],
        help,
        labelNames: ["key", "day"],
        registers: [registry],
        collect: () => this.#settle(),
      });
    this.#counters = {
      audio_seconds: counter("audio_seconds", "Seconds of audio, by key and day (UTC)"),
      frames: counter("frames", "Frames, by key and day (UTC)"),
      requests: counter("requests", "HTTP requests, by key and day (UTC)"),
    };
    this.#dateMs = dateMs;
  }

  /** Counts something of a key; "" on a server without keys. */
  add(key: string, measure: Measure, count: number): void {
    this.#begin();
    let news = this.#news.get(key);
    if (!news) this.#news.set(key, news = {});
    news[measure] = (news[measure] ?? 0) + count;
  }

  /** Gives the metrics what they do not have yet. */
  #settle(): void {
    const { name: day } = this.#day;
    for (const [key, news] of this.#news) {
      const used = this.#days.get(key)?.get(day) ?? this.#keep(key, day);
      for (const [measure, count] of Object.entries(news)) {
        used[measure as Measure] += count;
        this.#counters[measure as Measure].inc({ key, day }, count);
      }
    }
    this.#news.clear();
  }

  /** The days of a key, the oldest first. */
  async of(key: string): Promise<DayOfUse[]> {
    const days = this.textOfAll ? daysIn(await this.textOfAll(), key) : this.#own(key);
    return [...days.values()].sort((a, b) => a.day < b.day ? -1 : 1);
  }

  #own(key: string): ReadonlyMap<string, DayOfUse> {
    this.#settle();
    return this.#days.get(key) ?? new Map();
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
      if (day > oldest) continue;
      days.delete(day);
      for (const counter of Object.values(this.#counters)) counter.remove({ key, day });
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

/** The days of a key, in metrics as Prometheus reads them. */
function daysIn(text: string, key: string): ReadonlyMap<string, DayOfUse> {
  const days = new Map<string, DayOfUse>();
  for (const [measure, name] of Object.entries(METRICS)) {
    for (const [, labels = "", value] of text.matchAll(lineOf(name))) {
      const { key: owner, day } = JSON.parse(`{${labels.replaceAll(/(\w+)=(?=")/g, '"$1":')}}`);
      if (owner === key) {
        days.set(day, { ...days.get(day) ?? noUse(day), [measure]: Number(value) });
      }
    }
  }
  return days;
}

function lineOf(name: string): RegExp {
  return new RegExp(`^${name}\\{(.*)\\} (\\S+)$`, "gm");
}
