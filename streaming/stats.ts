/** Figures of one stream, reported in `done`. */

/** Upper bounds of the latency histogram's buckets: 0.1 ms to 100 s, 12 per decade. */
const BUCKETS_MS = Array.from({ length: 73 }, (_, i) => 0.1 * 10 ** (i / 12));

/** Latency, compute and backlog of one stream, in bounded memory. */
export class StreamStats {
  #computeMs = 0;
  #latencySumMs = 0;
  #latencies = 0;
  readonly #counts = new Uint32Array(BUCKETS_MS.length + 1);
  #backlogMaxS = 0;
  #arrivals: { frames: number; atMs: number }[] = [];
  readonly #onLatency: (seconds: number) => void;

  /** @param onLatency told of every latency */
  constructor(onLatency: (seconds: number) => void = () => {}) {
    this.#onLatency = onLatency;
  }

  /** Audio arrived that makes frames up to `frames` computable. */
  arrived(frames: number, nowMs: number): void {
    const last = this.#arrivals.at(-1);
    if (frames > (last?.frames ?? 0)) this.#arrivals.push({ frames, atMs: nowMs });
  }

  /** Frames up to `frames` were handed to the socket. */
  sent(frames: number, { nowMs, computeMs }: { nowMs: number; computeMs: number }): void {
    this.#computeMs += computeMs;
    const later = this.#arrivals.findIndex((arrival) => arrival.frames > frames);
    const arrived = this.#arrivals.splice(0, later < 0 ? this.#arrivals.length : later);
    for (const { atMs } of arrived) {
      const latencyMs = nowMs - atMs;
      this.#latencies++;
      this.#latencySumMs += latencyMs;
      this.#onLatency(latencyMs / 1000);
      const bucket = BUCKETS_MS.findIndex((bound) => latencyMs <= bound);
      this.#counts[bucket < 0 ? BUCKETS_MS.length : bucket]!++;
    }
  }

  /** The queue holds `seconds` of audio. */
  backlog(seconds: number): void {
    this.#backlogMaxS = Math.max(this.#backlogMaxS, seconds);
  }

  /** Starts counting frames from 0 again. */
  reset(): void {
    this.#arrivals = [];
  }

  /** The summary of a segment of `seconds` of audio. */
  summary(seconds: number) {
    return {
      audio_s: round(seconds),
      compute_s: round(this.#computeMs / 1000),
      latency_mean_ms: round(this.#latencies ? this.#latencySumMs / this.#latencies : 0),
      latency_p99_ms: round(this.#percentileMs(0.99)),
      backlog_max_s: round(this.#backlogMaxS),
    };
  }

  #percentileMs(share: number): number {
    let below = 0;
    for (const [i, count] of this.#counts.entries()) {
      below += count;
      if (this.#latencies > 0 && below >= share * this.#latencies) {
        return BUCKETS_MS[Math.min(i, BUCKETS_MS.length - 1)]!;
      }
    }
    return 0;
  }
}

function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}
