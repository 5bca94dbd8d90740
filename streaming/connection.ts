/**
 * One socket of a stream, from its query to its close. This is where an audio message becomes context vectors:
 * `receive` → `#pump` → `#hear` (decode, resample, remember) → the pool's workers → `#frames` → the socket.
 *
 * Messages are taken one after the other. While a stream's queue or the socket's outgoing buffer is full, no further message is
 * taken and the socket is not read, so TCP throttles the sender.
 */
import { CpcError, toCpcError } from "../errors.ts";
import { exactFrames, MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { encodeBinary, encodeJson, type FrameShape, rowsFrom } from "./frame_codec.ts";
import { formatRow } from "./float_text.ts";
import type { Hub } from "./hub.ts";
import type { Checkpoint, FrameBlock, Want } from "./messages.ts";
import type { EngineStream } from "./pool.ts";
import {
  type ClientMessage,
  parseClientMessage,
  parseStreamQuery,
  type Selection,
  selection,
  type ServerMessage,
  streamConfig,
  type StreamQuery,
  wantOf,
} from "./protocol.ts";
import { CHECKPOINT_SECONDS, Session } from "./session.ts";
import { StreamStats } from "./stats.ts";

/** What a connection needs of a socket: `ws` has all of it. */
export interface Wire {
  readonly bufferedAmount: number;
  send(data: string | Uint8Array, sent: (error?: Error) => void): void;
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
}

/** Bytes decoded at once: a longer message is taken in parts, each when there is room. */
const PART_BYTES = 32 * 1024;
/** Outgoing bytes above which nothing more is computed for this socket. */
const OUTGOING_BYTES = 1024 * 1024;
/** Outgoing bytes that frames of queued audio may become. */
const QUEUED_OUTPUT_BYTES = 4 * 1024 * 1024;
/** Messages, and their bytes, that may wait to be taken before the socket is no longer read. */
const INBOX = { messages: 256, bytes: 256 * 1024 } as const;
/** Errors after which the session can still be resumed. */
const RESUMABLE: ReadonlySet<string> = new Set(["idle_timeout", "draining", "slow_reader", "model_failed"]);

/** One socket. */
export class Connection {
  readonly owner: string;
  lastHeardMs: number;
  /** When audio last came, for admission. */
  lastAudioMs = -Infinity;
  warnedIdle = false;
  readonly #wire: Wire;
  readonly #hub: Hub;
  readonly #inbox: (string | Uint8Array)[] = [];
  #inboxBytes = 0;
  readonly #stats = new StreamStats();
  #session?: Session;
  #stream?: EngineStream;
  #token = "";
  /** `ready` was sent, and after a resume what the client lacked: its messages can be taken. */
  #ready = false;
  #pumping = false;
  #open = true;
  /** `done` was sent: nothing more is said. */
  #done = false;
  #paused = false;
  #waiting = false;
  /** Frames before this one are not sent: a resumed client has them. */
  #firstFrame = 0;
  #room?: () => void;
  #blockedSinceMs?: number;
  #warnedSlow = false;
  #warnedBacklog = false;

  /** @param options `owner`: name of the key, "" without one */
  constructor(wire: Wire, { hub, owner }: { hub: Hub; owner: string }) {
    this.#wire = wire;
    this.#hub = hub;
    this.owner = owner;
    this.lastHeardMs = hub.nowMs();
  }

  /** The session's opening time; undefined before `ready`. */
  get openedAtMs(): number | undefined {
    return this.#session?.openedAtMs;
  }

  /** Messages are being worked on: the client owes nothing. */
  get busy(): boolean {
    return this.#pumping;
  }

  /** Opens or resumes the session; answers `ready`, or an error and its close code. */
  async start(params: URLSearchParams): Promise<void> {
    try {
      const query = parseStreamQuery(params);
      await (query.resume === undefined ? this.#begin(query) : this.#resume(query, query.resume));
      this.#ready = true;
      void this.#pump();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Takes a message of the client. */
  receive(data: string | Uint8Array): void {
    if (!this.#open || this.#done) return;
    this.lastHeardMs = this.#hub.nowMs();
    this.warnedIdle = false;
    this.#inbox.push(data);
    this.#inboxBytes += data.length;
    void this.#pump();
    this.#regulate();
  }

  /** The socket is gone; the session stays for a while unless it is done. */
  closed({ clean }: { clean: boolean }): void {
    this.#end({ keep: !clean });
  }

  /** Tells the client why, closes with the code of the error and lets go of everything. */
  fail(thrown: unknown): void {
    if (!this.#open || this.#done) return;
    const error = toCpcError(thrown);
    this.#hub.failed(error, { session: this.#session?.id });
    const retry = error.retryAfterMs === undefined ? {} : { retry_after_ms: Math.round(error.retryAfterMs) };
    const param = error.param === undefined ? {} : { param: error.param };
    const { code, message, retryable } = error;
    this.#send({ type: "error", code, message, fatal: true, retryable, ...retry, ...param });
    this.#end({ keep: RESUMABLE.has(code) });
    this.#close(error.close, code);
  }

  /** Warns the client. */
  warn(code: "idle" | "backlog" | "slow_reader", message: string): void {
    this.#send({ type: "warning", code, message });
  }

  /** The server stops: what was heard is answered, then the client gets its last token and 1001. */
  async drain(): Promise<void> {
    await this.#stream?.drained().catch(() => {}); // a stream that broke has told its client already
    if (!this.#open || this.#done) return;
    this.#send({
      type: "warning",
      code: "draining",
      message: "the server is stopping; resume on another one with this token",
      ...(this.#token ? { resume: this.#token } : {}),
    });
    this.fail(new CpcError("draining", "the server is stopping", { retryAfterMs: 1000 }));
  }

  /** Checks what time alone brings: a reader that has been blocked for too long. */
  tick(nowMs: number): void {
    const { warnAfterS, endAfterS } = this.#hub.limits.slowReader;
    if (this.#done || this.#wire.bufferedAmount <= OUTGOING_BYTES) {
      this.#blockedSinceMs = undefined;
      this.#warnedSlow = false;
      return;
    }
    this.#blockedSinceMs ??= nowMs;
    const blockedS = (nowMs - this.#blockedSinceMs) / 1000;
    if (blockedS >= endAfterS) {
      this.fail(
        new CpcError(
          "slow_reader",
          `${this.#wire.bufferedAmount} bytes have waited ${endAfterS} s to be read; read faster or ask for less`,
        ),
      );
    } else if (blockedS >= warnAfterS && !this.#warnedSlow) {
      this.#warnedSlow = true;
      this.warn("slow_reader", `frames wait to be read; the stream ends when this lasts ${endAfterS} s`);
    }
  }

  #begin(query: StreamQuery): void {
    const { pool } = this.#hub;
    this.#hub.admit(this);
    const { weights, layout } = pool.model(query.model);
    const config = streamConfig(query, { model: weights.id, dims: layout.dims });
    const session = new Session(config, { owner: this.owner, layout, nowMs: this.#hub.nowMs() });
    this.#stream = this.#openStream(session, { want: wantOf(config) });
    this.#session = session;
    this.#token = this.#hub.store.issue(session);
    this.#hub.attach(session, this);
    this.#sendReady(session);
  }

  async #resume(query: StreamQuery, token: string): Promise<void> {
    const received = query.received ?? 0;
    let from: Checkpoint | undefined;
    const { session, token: nextToken } = await this.#hub.store.redeem(token, {
      owner: this.owner,
      accept: (session) => { // whatever is refused here leaves the token as it is
        checkResume(session, { query, received });
        from = session.history.before(received);
        if (!this.#open || !from) throw new CpcError("unknown_resume_token", "the session's history does not reach back so far");
        this.#hub.admit(this, session);
        const [{ selection }] = session.selectionsFrom(session.history.frameOf(from));
        this.#stream = this.#openStream(session, { want: wantOf(selection), restore: from });
      },
    });
    if (!this.#open || !from || !this.#stream) return this.#hub.keep(session); // the socket is gone already
    this.#hub.attach(session, this); // an older socket of it gets 4409 and lets go
    this.#session = session;
    this.#token = nextToken;
    session.detach();
    this.#firstFrame = received;
    this.#sendReady(session, { resumed: true, samples: session.samples, segment: session.segment });
    await this.#replay(session, { stream: this.#stream, from });
  }

  /** Computes again from a checkpoint, each frame as it was asked for then; what the client has is not sent. */
  async #replay(session: Session, { stream, from }: { stream: EngineStream; from: Checkpoint }): Promise<void> {
    const { hopSamples, leadSamples, lookaheadSamples } = session.layout.plan;
    const audio = session.history.audioSince(from);
    const start = Math.max(0, from.hopsTaken * hopSamples - leadSamples);
    let at = 0;
    for (const { fromFrame, selection } of session.selectionsFrom(session.history.frameOf(from))) {
      const known = fromFrame === 0 ? 0 : (fromFrame - 1) * hopSamples + lookaheadSamples - start; // gives frames before it only
      if (known > at) {
        stream.push(audio.slice(at, known));
        at = known;
        await stream.drained();
      }
      stream.update(wantOf(selection));
      if (fromFrame > this.#firstFrame) this.#sendUpdated(selection); // its answer was lost with the frames before it
    }
    stream.push(audio.slice(at));
    await stream.drained();
  }

  #openStream(
    session: Session,
    { want, restore }: { want: Want; restore?: Checkpoint },
  ): EngineStream {
    const checkpointHops = Math.ceil(CHECKPOINT_SECONDS * MODEL_SAMPLE_RATE / session.layout.plan.hopSamples);
    return this.#hub.pool.open({
      model: session.config.model,
      priority: "live",
      want,
      restore,
      checkpointHops,
      onFrames: (block, step) => {
        if (step.checkpoint) session.history.add(step.checkpoint);
        this.#frames(block, step.computeMs);
      },
      onError: (error) => {
        this.#stream = undefined;
        this.fail(error);
      },
    });
  }

  async #pump(): Promise<void> {
    if (this.#pumping || !this.#ready) return;
    this.#pumping = true;
    try {
      while (this.#open && !this.#done && this.#inbox.length > 0) {
        await this.#waitForRoom();
        const data = this.#inbox.shift();
        if (data === undefined) break; // ended while it waited
        this.#inboxBytes -= data.length;
        this.#regulate();
        if (typeof data === "string") await this.#obey(parseClientMessage(data));
        else await this.#hear(data);
      }
      this.lastHeardMs = this.#hub.nowMs();
    } catch (error) {
      this.fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  /** Decodes a message part by part, each when there is room for what it brings. */
  async #hear(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && this.#open; at += PART_BYTES) {
      await this.#waitForRoom();
      const { session, stream } = this.#live();
      this.#push(session.hear(bytes.subarray(at, at + PART_BYTES)), { session, stream });
    }
  }

  #push(samples: Float32Array<ArrayBuffer>, { session, stream }: { session: Session; stream: EngineStream }): void {
    const nowMs = this.#hub.nowMs();
    this.lastAudioMs = nowMs;
    this.#hub.metrics.audioReceived(samples.length / MODEL_SAMPLE_RATE);
    stream.push(samples);
    this.#stats.arrived(exactFrames(session.layout.plan, session.history.endSample), nowMs);
    this.#stats.backlog(stream.queuedSamples / MODEL_SAMPLE_RATE);
  }

  async #obey(message: ClientMessage): Promise<void> {
    if (message.type === "keep_alive") return; // hearing it was enough
    const { session, stream } = this.#live();
    if (message.type === "finish") return await this.#finish(session, stream);
    const frames = await stream.drained();
    if (!this.#open) return;
    switch (message.type) {
      case "mark":
        this.#send({ type: "marked", id: message.id ?? null, samples: session.samples, frames });
        break;
      case "reset":
        stream.reset();
        session.reset();
        this.#firstFrame = 0;
        this.#stats.reset();
        this.#send({ type: "reset", segment: session.segment });
        break;
      case "update": {
        session.select(selection(message, session.config, session.layout.dims), frames);
        stream.update(wantOf(session.config));
        this.#sendUpdated(session.config);
        break;
      }
    }
  }

  async #finish(session: Session, stream: EngineStream): Promise<void> {
    this.#push(session.flush(), { session, stream });
    const frames = await stream.finish();
    if (!this.#open) return;
    const seconds = session.samples / session.config.sample_rate;
    this.#send({ type: "done", samples: session.samples, frames, seconds, stats: this.#stats.summary(seconds) });
    this.#done = true;
    this.#stream?.release();
    this.#stream = undefined;
    this.#close(1000, "done"); // the session is let go when the client has acknowledged
  }

  /** Waits until the queue and the outgoing buffer have room; meanwhile the socket is not read. */
  async #waitForRoom(): Promise<void> {
    if (this.#hasRoom()) return;
    const startedMs = this.#hub.nowMs();
    this.#waiting = true;
    this.#regulate();
    let readerIsSlow = false;
    while (this.#open && !this.#hasRoom()) {
      readerIsSlow ||= this.#wire.bufferedAmount > OUTGOING_BYTES;
      await new Promise<void>((resolve) => this.#room = resolve);
    }
    this.#waiting = false;
    if (!this.#open) return;
    this.#regulate();
    const waitedMs = this.#hub.nowMs() - startedMs;
    if (waitedMs >= this.#hub.limits.backlogWarnS * 1000 && !readerIsSlow && !this.#warnedBacklog) {
      this.#warnedBacklog = true;
      this.warn("backlog", `audio comes faster than it is computed: reading waited ${Math.round(waitedMs)} ms`);
    }
  }

  /** Reads the socket, or lets the sender wait. */
  #regulate(): void {
    if (!this.#open) return;
    const full = this.#waiting || this.#inbox.length > INBOX.messages || this.#inboxBytes > INBOX.bytes;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#wire.pause();
    else this.#wire.resume();
  }

  #hasRoom(): boolean {
    const session = this.#session;
    if (!session || !this.#stream) return true; // nothing to wait for: it ends in an error
    return this.#wire.bufferedAmount <= OUTGOING_BYTES &&
      this.#stream.queuedSamples < queueSamples(session, this.#hub.limits.backlogS);
  }

  #frames(stepped: FrameBlock, computeMs: number): void {
    const session = this.#session;
    if (!session || !this.#open) return;
    session.frames = Math.max(session.frames, stepped.frames);
    const shape = frameShape(session, stepped.want);
    const block = rowsFrom(stepped, { first: this.#firstFrame, shape });
    if (block.count > 0) {
      const { format, dtype } = session.config;
      this.#write(format === "binary" ? encodeBinary(block, { shape, dtype }) : encodeJson(block, { shape, formatRow }));
      this.#hub.metrics.framesSent(block.count);
    }
    this.#stats.sent(block.frames, { nowMs: this.#hub.nowMs(), computeMs });
    this.#wake();
  }

  #sendReady(session: Session, resumed: { resumed?: true; samples?: number; segment?: number } = {}): void {
    const { plan, dims } = session.layout;
    const { limits } = this.#hub;
    const { output, steps, ...config } = session.configAt(this.#firstFrame);
    this.#send({
      type: "ready",
      session: session.id,
      resume: this.#token,
      ...config,
      frame_rate: MODEL_SAMPLE_RATE / plan.hopSamples,
      hop: plan.hopSamples,
      lookahead: plan.lookaheadSamples,
      dims: { ...dims },
      output: [...output],
      steps: [...steps],
      limits: {
        message_bytes: limits.messageBytes,
        idle_s: limits.idleS,
        session_s: limits.sessionS,
        backlog_s: limits.backlogS,
      },
      ...resumed,
    });
  }

  #sendUpdated({ output, steps, every }: Selection): void {
    this.#send({ type: "updated", output: [...output], steps: [...steps], every });
  }

  #live(): { session: Session; stream: EngineStream } {
    if (!this.#session || !this.#stream) throw new CpcError("model_failed", "this stream has ended");
    return { session: this.#session, stream: this.#stream };
  }

  #send(message: ServerMessage): void {
    this.#write(JSON.stringify(message));
  }

  #write(data: string | Uint8Array): void {
    if (this.#open) this.#wire.send(data, () => this.#wake());
  }

  #wake(): void {
    if (!this.#room || (this.#open && !this.#hasRoom())) return;
    const room = this.#room;
    this.#room = undefined;
    room();
  }

  #close(code: number, reason: string): void {
    this.#hub.metrics.closed(code);
    if (this.#paused) this.#wire.resume(); // a paused socket would not see the client's answer
    this.#paused = false;
    this.#wire.close(code, reason);
  }

  #end({ keep }: { keep: boolean }): void {
    if (!this.#open) return;
    this.#open = false;
    this.#inbox.length = this.#inboxBytes = 0;
    this.#stream?.release();
    this.#stream = undefined;
    this.#hub.detach(this, this.#session, { keep });
    this.#wake();
  }
}

/** How much audio may wait for a stream: less where its frames are large. */
function queueSamples(session: Session, backlogS: number): number {
  const { dims, plan } = session.layout;
  const want = wantOf(session.config);
  const floats = (want.context ? dims.context : 0) + (want.latent ? dims.latent : 0) + want.prediction.length * dims.latent +
    want.score.length * 2;
  const bytesPerSample = floats * 4 * (session.config.format === "json" ? 3 : 1) / plan.hopSamples / want.every;
  return Math.max(plan.hopSamples * 4, Math.min(backlogS * MODEL_SAMPLE_RATE, QUEUED_OUTPUT_BYTES / bytesPerSample));
}

function frameShape({ layout, config }: Session, want: Want): FrameShape {
  const { dims, plan } = layout;
  return {
    contextWidth: dims.context,
    latentWidth: dims.latent,
    frameSeconds: plan.hopSamples / MODEL_SAMPLE_RATE,
    steps: want.prediction.length || want.score.length || config.steps.length,
  };
}

/** @throws {CpcError} when the options beside a resume token differ from the session's, or the client's position is impossible */
function checkResume(session: Session, { query, received }: { query: StreamQuery; received: number }): void {
  const { resume: _, received: __, ...options } = query;
  for (const [name, value] of Object.entries(options)) {
    const inForce = Object.entries(session.configAt(received)).find(([key]) => key === name)?.[1];
    const [asked, has] = [value, inForce].map((x) => JSON.stringify(Array.isArray(x) ? x.toSorted() : x));
    if (asked !== has) {
      throw new CpcError("invalid_option", `option ${name}: a resumed session keeps its configuration, ${has}; got ${asked}`, {
        param: name,
      });
    }
  }
  if (received > session.frames) {
    throw new CpcError("invalid_option", `option received: this segment has ${session.frames} frames, got ${received}`, {
      param: "received",
    });
  }
  if (received < session.history.firstFrame) {
    const why =
      `the session's history begins at frame ${session.history.firstFrame}, too late for received=${received}; begin a new stream`;
    throw new CpcError("unknown_resume_token", why, { param: "received" });
  }
}
