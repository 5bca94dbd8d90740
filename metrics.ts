/** The metrics that Prometheus reads at `/metrics`. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Metrics of one server, in a registry of its own. */
export class Metrics {
  readonly registry = new Registry();
  /** All of them as Prometheus reads them; several servers on one port answer for all. */
  text: () => Promise<string> = () => this.registry.metrics();
  readonly #registers = [this.registry];
  readonly #streams = new Gauge({
    name: "cpc_streams",
    help: "Open streams; each channel of a split one counts",
    registers: this.#registers,
  });
  readonly #frames = new Counter({
    name: "cpc_frames_total",
    help: "Frames sent to streams",
    registers: this.#registers,
  });
  readonly #audio = new Counter({
    name: "cpc_audio_seconds_total",
    help: "Seconds of audio received",
    registers: this.#registers,
  });
  readonly #closes = new Counter({
    name: "cpc_stream_closes_total",
    help: "Streams closed by the server, by close code",
    labelNames: ["code"],
    registers: this.#registers,
  });
  readonly #errors = new Counter({
    name: "cpc_errors_total",
    help: "Errors by code",
    labelNames: ["code"],
    registers: this.#registers,
  });
  readonly #requests = new Counter({
    name: "cpc_requests_total",
    help: "HTTP requests by route and status",
    labelNames: ["route", "status"],
    registers: this.#registers,
  });
  readonly #step = new Histogram({
    name: "cpc_step_seconds",
    help: "Time of a model step",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25],
    registers: this.#registers,
  });
  readonly #rows = new Histogram({
    name: "cpc_step_rows",
    help: "Hops in a model step, over all its streams",
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers: this.#registers,
  });

  readonly #headRows = new Counter({
    name: "cpc_head_rows_total",
    help: "Rows that heads gave, by head",
    labelNames: ["head"],
    registers: this.#registers,
  });
  readonly #headSeconds = new Counter({
    name: "cpc_head_seconds_total",
    help: "Time that heads took for them; it is part of the steps'",
    labelNames: ["head"],
    registers: this.#registers,
  });
  readonly #relistens = new Counter({
    name: "cpc_relistens_total",
    help: "Times the server had to listen again because it had stopped accepting connections",
    registers: this.#registers,
  });

  readonly #workers: Gauge = new Gauge({
    name: "cpc_workers",
    help: "Model workers that can take steps",
    registers: this.#registers,
    collect: (): void => this.#workers.set(this.workersAlive()),
  });
  readonly #restarts = new Counter({
    name: "cpc_worker_restarts_total",
    help: "Model workers that were lost and started again, by the reason of the loss",
    labelNames: ["reason"],
    registers: this.#registers,
  });
  readonly #moves = new Counter({
    name: "cpc_streams_moved_total",
    help: "Times a stream lost its model worker and went on in another",
    registers: this.#registers,
  });
  readonly #retries = new Counter({
    name: "cpc_step_retries_total",
    help: "Model steps that failed and were taken again, stream by stream",
    registers: this.#registers,
  });
  /** Number of model workers that can take steps; whoever has them says it. */
  workersAlive: () => number = () => 0;

  readonly #stalls = new Histogram({
    name: "cpc_event_loop_delay_seconds",
    help: "How much later than due the event loop of the sockets ran a timer, every 50 ms",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: this.#registers,
  });
  #longestStallS = 0;
  readonly #longestStall = new Gauge({
    name: "cpc_event_loop_stall_seconds",
    help: "The longest of these delays since the last scrape",
    aggregator: "max",
    registers: this.#registers,
    collect: () => {
      this.#longestStall.set(this.#longestStallS);
      this.#longestStallS = 0;
    },
  });

  workerRestarted(reason: string): void {
    this.#restarts.inc({ reason });
  }
  streamMoved(): void {
    this.#moves.inc();
  }
  stepRetried(): void {
    this.#retries.inc();
  }
  #store?: Gauge;

  /** The store of sessions works, or does not; only a server with a shared one has this metric. */
  storeWorks(works: boolean): void {
    this.#store ??= new Gauge({
      name: "cpc_store_up",
      help: "Whether the store of sessions answers",
      aggregator: "min",
      registers: this.#registers,
    });
    this.#store.set(Number(works));
  }
  delayed(seconds: number): void {
    this.#stalls.observe(seconds);
    this.#longestStallS = Math.max(this.#longestStallS, seconds);
  }
  relistened(): void {
    this.#relistens.inc();
  }
  streamsOpened(count: number): void {
    this.#streams.inc(count);
  }
  streamsEnded(count: number): void {
    this.#streams.dec(count);
  }
  framesSent(count: number): void {
    this.#frames.inc(count);
  }
  audioReceived(seconds: number): void {
    this.#audio.inc(seconds);
  }
  closed(code: number): void {
    this.#closes.inc({ code: String(code) });
  }
  errored(code: string): void {
    this.#errors.inc({ code });
  }
  requested(route: string, status: number): void {
    this.#requests.inc({ route, status: String(status) });
  }
  stepTaken(
    { stepMs, streams, hops, heads = [] }: {
      stepMs: number;
      streams: number;
      hops: number;
      heads?: readonly { head: string; rows: number; ms: number }[];
    },
  ): void {
    for (const { head, rows, ms } of heads) {
      this.#headRows.inc({ head }, rows);
      this.#headSeconds.inc({ head }, ms / 1000);
    }
    this.#step.observe(stepMs / 1000);
    this.#rows.observe(streams * hops);
  }
}
