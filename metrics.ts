/** The metrics that Prometheus reads at `/metrics`. */
import { Counter, Gauge, Registry } from "prom-client";
import { ExportedHistogram } from "./metrics_export.ts";
import { Usage } from "./usage.ts";

/** Metrics of one server, in a registry of its own. */
export class Metrics {
  readonly registry = new Registry();
  /** All of them as Prometheus reads them; several servers on one port answer for all. */
  text: () => Promise<string> = async () => await this.registry.metrics() + await this.usage.text();
  /** What is used of the capacity, 0 to 1; whoever admits streams says it. */
  capacityUsed: () => number = () => 0;
  /** Number of model workers that can take steps; whoever has them says it. */
  workersAlive: () => number = () => 0;
  /** What each key uses. */
  readonly usage: Usage = new Usage();
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
  readonly #latency = new ExportedHistogram({
    name: "cpc_frame_latency_seconds",
    help: "From the arrival of the last sample that a frame needs to its way out",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 5, 20],
    registers: this.#registers,
  });
  readonly #lag = new ExportedHistogram({
    name: "cpc_stream_lag_seconds",
    help: "Audio of a live stream that waits although it came in time, four times a second",
    buckets: [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12],
    registers: this.#registers,
  });
  readonly #capacity: Gauge = new Gauge({
    name: "cpc_capacity_used_ratio",
    help: "Share of what the server can serve that live and open streams use; 1 refuses more",
    aggregator: "average",
    registers: this.#registers,
    collect: (): void => this.#capacity.set(this.capacityUsed()),
  });
  readonly #resumes = new Counter({
    name: "cpc_resumes_total",
    help: "Attempts to resume a session, by outcome: resumed, or the code of the refusal",
    labelNames: ["outcome"],
    registers: this.#registers,
  });
  readonly #decode = new ExportedHistogram({
    name: "cpc_decode_seconds",
    help: "Time to decode the recordings of a request, its wait for a decoder included",
    buckets: [0.005, 0.02, 0.08, 0.32, 1.28, 5, 20, 60],
    registers: this.#registers,
  });
  readonly #requestTime = new ExportedHistogram({
    name: "cpc_request_seconds",
    help: "Time to an HTTP answer, by route",
    labelNames: ["route"],
    buckets: [0.005, 0.02, 0.08, 0.32, 1.28, 5, 20, 60],
    registers: this.#registers,
  });
  readonly #step = new ExportedHistogram({
    name: "cpc_step_seconds",
    help: "Time of a model step",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25],
    registers: this.#registers,
  });
  readonly #rows = new ExportedHistogram({
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
  readonly #stalls = new ExportedHistogram({
    name: "cpc_event_loop_delay_seconds",
    help: "How much later than due the event loop of the sockets ran a timer, every 50 ms",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: this.#registers,
  });
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
  #store?: Gauge;
  #longestStallS = 0;

  workerRestarted(reason: string): void {
    this.#restarts.inc({ reason });
  }
  streamMoved(): void {
    this.#moves.inc();
  }
  stepRetried(): void {
    this.#retries.inc();
  }

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
    this.#stalls.record(seconds);
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
  /** @param owner name of the key; "" without one */
  framesSent(count: number, owner: string): void {
    this.#frames.inc(count);
    this.usage.add(owner, "frames", count);
  }
  /** @param owner name of the key; "" without one */
  audioReceived(seconds: number, owner: string): void {
    this.#audio.inc(seconds);
    this.usage.add(owner, "audio_seconds", seconds);
  }
  closed(code: number): void {
    this.#closes.inc({ code: String(code) });
  }
  errored(code: string): void {
    this.#errors.inc({ code });
  }
  /** @param owner name of the key; undefined where none was needed */
  requested(
    { route, status, seconds, owner }: {
      route: string;
      status: number;
      seconds: number;
      owner?: string;
    },
  ): void {
    this.#requests.inc({ route, status: String(status) });
    this.#requestTime.record(seconds, { route });
    if (owner !== undefined) this.usage.add(owner, "requests", 1);
  }
  frameSentAfter(seconds: number): void {
    this.#latency.record(seconds);
  }
  lagged(seconds: number): void {
    this.#lag.record(seconds);
  }
  /** @param outcome `resumed`, or the code of the refusal */
  resumed(outcome: string): void {
    this.#resumes.inc({ outcome });
  }
  decoded(seconds: number): void {
    this.#decode.record(seconds);
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
    this.#step.record(stepMs / 1000);
    this.#rows.record(streams * hops);
  }
}
