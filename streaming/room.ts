/** Back-pressure: how much may wait for a stream, and the wait for room. */
import { wantOf } from "../inference/want.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { Inbox } from "./inbox.ts";
import type { Outgoing } from "./outgoing.ts";
import type { StreamLimits } from "./protocol/limits.ts";
import type { Session } from "./session/session.ts";

/** Most output of queued audio, in multiples of the outgoing bytes. */
const QUEUED_OUTPUT = 4;

/** A session, and the audio that waits for it. */
export interface Backlog {
  readonly session: Session;
  readonly stream: { readonly queuedSamples: number };
}

/** Decides whether a socket's next message can be taken. */
export class Room {
  readonly #inbox: Pick<Inbox, "hold">;
  readonly #out: Pick<Outgoing, "full" | "say">;
  readonly #backlog: () => Backlog | undefined;
  readonly #limits: StreamLimits;
  readonly #nowMs: () => number;
  /** The latest wait, and whether the reader was slow during it. */
  #waiting?: { readonly resolve: () => void; readerWasSlow: boolean };
  /** What may wait with a configuration; it is asked for with every message. */
  #most?: { readonly config: Session["config"]; readonly samples: number };
  /** How long reading has waited for the model since it caught up, or the client read slowly. */
  #waitedMs = 0;
  #warned = false;
  #ended = false;

  /** @param options `backlog`: undefined while there is nothing to wait for */
  constructor({ inbox, out, backlog, limits, nowMs }: {
    inbox: Pick<Inbox, "hold">;
    out: Pick<Outgoing, "full" | "say">;
    backlog: () => Backlog | undefined;
    limits: StreamLimits;
    nowMs: () => number;
  }) {
    this.#inbox = inbox;
    this.#out = out;
    this.#backlog = backlog;
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /** Resolves when the queue and the outgoing buffer have room; until then, no message is read. */
  async wait(): Promise<void> {
    if (this.#ended) return;
    if (this.#free()) return this.#forget();
    const startedMs = this.#nowMs();
    this.#inbox.hold(true);
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting = { resolve, readerWasSlow: this.#out.full };
    await promise;
    if (this.#ended) return;
    this.#inbox.hold(false);
    if (waiting.readerWasSlow) this.#waitedMs = 0; // then the model is not to blame
    else this.#count(this.#nowMs() - startedMs);
    this.#forget();
  }

  /** Something was computed or has left: checks again for room. */
  wake(): void {
    if (!this.#waiting) return;
    this.#waiting.readerWasSlow ||= this.#out.full;
    if (this.#ended || this.#free()) this.#waiting.resolve();
  }

  /** Ends the wait. */
  end(): void {
    this.#ended = true;
    this.#waiting?.resolve();
  }

  #free(): boolean {
    const backlog = this.#backlog();
    if (!backlog) return true;
    return !this.#out.full && backlog.stream.queuedSamples < this.#mostSamples(backlog.session);
  }

  #mostSamples(session: Session): number {
    if (this.#most?.config !== session.config) {
      this.#most = { config: session.config, samples: queueSamples(session, this.#limits) };
    }
    return this.#most.samples;
  }

  /** Warns once: each wait is short where messages are, so they count together. */
  #count(waitedMs: number): void {
    this.#waitedMs += waitedMs;
    if (this.#warned || this.#waitedMs < this.#limits.backlogWarningS * 1000) return;
    this.#warned = true;
    const message = `audio arrives faster than it is computed: reading waited ${
      Math.round(this.#waitedMs)
    } ms`;
    this.#out.say({ type: "warning", code: "backlog", message });
  }

  /** A queue that is half empty has caught up: earlier waits no longer count. */
  #forget(): void {
    const backlog = this.#backlog();
    if (!backlog) return;
    if (backlog.stream.queuedSamples <= this.#mostSamples(backlog.session) / 2) this.#waitedMs = 0;
  }
}

/** How much audio may wait for a stream; less if its frames are large. */
export function queueSamples(
  session: Session,
  { backlogLimitS, maxOutputBytes }: StreamLimits,
): number {
  const { dims, plan } = session.layout;
  const want = wantOf(session.config);
  const floatsOfOne = (want.context ? dims.context : 0) + (want.latent ? dims.latent : 0) +
    want.prediction.length * dims.latent +
    want.score.length * 2;
  const floats = session.streams * floatsOfOne;
  const bytesPerSample = floats * 4 * (session.config.format === "json" ? 3 : 1) / plan.hopSamples /
    want.every;
  return Math.max(
    plan.hopSamples * 4,
    Math.min(backlogLimitS * MODEL_SAMPLE_RATE, QUEUED_OUTPUT * maxOutputBytes / bytesPerSample),
  );
}
