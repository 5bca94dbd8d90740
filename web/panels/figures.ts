/** The panel of figures: audio, vectors, latency, speed, surprise, resumed connections. */
import { write } from "../dom.ts";
import type { AudioFormat, Follower, Heard, Taken } from "../follower.ts";
import { Latency } from "../latency.ts";

/** Speed is measured over this many last milliseconds. */
const SPEED_MS = { span: 2000, shortest: 400 };

export class FiguresPanel implements Follower {
  readonly #surprise: { readonly mean: number | undefined };
  #sampleRate = 1;
  /** Samples of each channel, and frames, of the segment. */
  #samples = 0;
  #frames = 0;
  #latency = new Latency();
  #resumed = 0;
  #framesPerSecond = 0;
  /** Frames of the whole stream, and their number over time. */
  #allFrames = 0;
  #marks: { readonly atMs: number; readonly frames: number }[] = [];
  #isLive = false;

  /** @param surprise in nats, whose mean is shown */
  constructor(surprise: { readonly mean: number | undefined }) {
    this.#surprise = surprise;
  }

  /** A stream was requested. */
  begin(): void {
    this.#latency = new Latency();
    this.#allFrames = this.#resumed = 0;
    this.#marks = [];
    this.#isLive = true;
    for (const id of ["n-latency", "n-speed"]) write(id, "–");
  }

  /** The stream has ended; its speed stays. */
  end(): void {
    this.#isLive = false;
  }

  /** The connection was lost, and is back. */
  countResumed(): void {
    this.#resumed++;
    this.tell();
  }

  beginAudio({ sampleRate }: AudioFormat): void {
    this.#sampleRate = sampleRate;
    this.#samples = 0;
    this.#latency.beginSegment();
  }

  hear({ length }: Heard): void {
    this.#samples += length;
    this.#latency.sent(length);
  }

  beginVectors(): void {
    this.#frames = 0;
  }

  take({ frames, ready }: Taken): void {
    this.#frames = frames.first + frames.count;
    this.#allFrames += frames.count;
    this.#framesPerSecond = ready.frame_rate;
    this.#latency.arrived(frames, ready);
  }

  tell(): void {
    const { mean } = this.#surprise;
    write("n-seconds", `${(this.#samples / this.#sampleRate).toFixed(1)} s`);
    write("n-frames", String(this.#frames));
    write("n-surprise", mean === undefined ? "–" : `${mean.toFixed(2)} nats`);
    write("n-resumed", String(this.#resumed));
    const { ms } = this.#latency;
    if (ms !== undefined) write("n-latency", `${ms.toFixed(0)} ms`);
    if (this.#isLive && this.#framesPerSecond > 0) this.#tellSpeed();
  }

  #tellSpeed(): void {
    const now = { atMs: performance.now(), frames: this.#allFrames };
    this.#marks.push(now);
    while (this.#marks.length > 2 && now.atMs - (this.#marks[0]?.atMs ?? 0) > SPEED_MS.span) {
      this.#marks.shift();
    }
    const { atMs, frames } = this.#marks[0] ?? now;
    if (now.atMs - atMs < SPEED_MS.shortest) return;
    const audioSeconds = (now.frames - frames) / this.#framesPerSecond;
    write("n-speed", `${(audioSeconds / (now.atMs - atMs) * 1000).toFixed(2)} ×`);
  }
}
