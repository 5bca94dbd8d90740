/**
 * One socket of a stream, from its query to its close. This is where an audio message becomes
 * context vectors: `receive` → `#pump` → `#hear` (decode, resample, remember) → the pool's workers
 * → `#frames` → the socket.
 *
 * Messages are taken one after the other. While a stream's queue or the socket's outgoing buffer is
 * full, no further message is taken and the socket is not read, so TCP throttles the sender.
 */
import { CpcError, toCpcError } from "../errors.ts";
import { exactFrames, MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { EngineStream } from "../inference/engine_stream.ts";
import { encodeBinary, encodeJson, rowsFrom } from "./protocol/frames.ts";
import { formatRow } from "../formats/float_text.ts";
import type { Hub } from "./hub.ts";
import { Inbox } from "./inbox.ts";
import type { Checkpoint, FrameBlock, Want } from "../inference/messages.ts";
import { type ClientMessage, parseClientMessage, type ServerMessage } from "./protocol/messages.ts";
import { wantOf } from "../inference/want.ts";
import { parseStreamQuery, streamConfig, type StreamQuery } from "./protocol/query.ts";
import { type Selection, selection } from "./protocol/selection.ts";
import { frameShape, readyMessage } from "./protocol/ready.ts";
import { checkResume, replay } from "./session/resume.ts";
import { CHECKPOINT_SECONDS, Session } from "./session/session.ts";
import { SlowReader } from "./slow_reader.ts";
import { StreamStats } from "./stats.ts";
import { queueSamples } from "./room.ts";

/** What a connection needs of a socket: `ws` has all of it. */
export interface Wire {
  readonly bufferedAmount: number;
  send(data: string | Uint8Array, sent: (error?: Error) => void): void;
  close(code: number, reason: string): void;
  /** @param data what the answer repeats */
  ping(data: string): void;
  /** Cuts the connection. */
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** Bytes decoded at once: a longer message is taken in parts, each when there is room. */
const PART_BYTES = 32 * 1024;
/** Sent after the `ready` of a resume: who answers has its token. */
const READY_PING = "ready";
/** Errors after which the session can still be resumed. */
const RESUMABLE: ReadonlySet<string> = new Set([
  "idle_timeout",
  "draining",
  "slow_reader",
  "message_too_big",
  "model_failed",
]);

/** One socket. */
export class Connection {
  readonly owner: string;
  lastHeardMs: number;
  /** When audio last came, for admission. */
  lastAudioMs = -Infinity;
  warnedIdle = false;
  readonly #wire: Wire;
  readonly #hub: Hub;
  readonly #inbox: Inbox;
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
  /** Frames before this one are not sent: a resumed client has them. */
  #firstFrame = 0;
  /** What waits for room, and whether the reader was ever slow meanwhile. */
  #room?: { readonly resolve: () => void; readerWasSlow: boolean };
  readonly #reader = new SlowReader();
  #pingedMs: number;
  #pingAnswered = true;
  #warnedBacklog = false;

  /** @param options `owner`: name of the key, "" without one */
  constructor(wire: Wire, { hub, owner }: { hub: Hub; owner: string }) {
    this.#wire = wire;
    this.#inbox = new Inbox(wire);
    this.#hub = hub;
    this.owner = owner;
    this.lastHeardMs = this.#pingedMs = hub.nowMs();
  }

  /** Id of the model; undefined before `ready`. */
  get model(): string | undefined {
    return this.#session?.config.model;
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
    this.#pingAnswered = true;
    this.#inbox.push(data);
    void this.#pump();
  }

  /** The client has answered a ping. */
  pong(data: string): void {
    this.#pingAnswered = true;
    if (data === READY_PING && this.#session && this.#open) this.#hub.store.confirm(this.#session);
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
    const retry = error.retryAfterMs === undefined
      ? {}
      : { retry_after_ms: Math.round(error.retryAfterMs) };
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
    // a stream that broke has told its client already
    await this.#stream?.drained().catch(() => {});
    if (!this.#open || this.#done) return;
    this.#send({
      type: "warning",
      code: "draining",
      message: "the server is stopping; resume on another one with this token",
      ...(this.#token ? { resume: this.#token } : {}),
    });
    this.fail(new CpcError("draining", "the server is stopping", { retryAfterMs: 1000 }));
  }

  /**
   * Checks what time alone brings: a client that is gone, a reader that has been blocked for too
   * long.
   */
  tick(nowMs: number): void {
    this.#ping(nowMs);
    const { maxOutputBytes, slowReaderWarningS, slowReaderTimeoutS } = this.#hub.limits;
    const waiting = this.#wire.bufferedAmount;
    const blocked = !this.#done && waiting > maxOutputBytes;
    const state = this.#reader.look({
      blocked,
      nowMs,
      warnAfterS: slowReaderWarningS,
      endAfterS: slowReaderTimeoutS,
    });
    switch (state) {
      case "warn":
        return this.warn(
          "slow_reader",
          `frames wait to be read; the stream ends when this lasts ${slowReaderTimeoutS} s`,
        );
      case "end": {
        const why =
          `${waiting} bytes have waited ${slowReaderTimeoutS} s to be read; read faster or ask for less`;
        return this.fail(new CpcError("slow_reader", why));
      }
    }
  }

  #ping(nowMs: number): void {
    if (this.#inbox.paused) { // the answer would wait with everything else
      this.#pingedMs = nowMs;
      this.#pingAnswered = true;
    } else if (!this.#done && nowMs - this.#pingedMs >= this.#hub.limits.pingS * 1000) {
      if (!this.#pingAnswered) return this.#wire.terminate();
      this.#pingedMs = nowMs;
      this.#pingAnswered = false;
      this.#wire.ping("");
    }
  }

  #begin(query: StreamQuery): void {
    const { pool } = this.#hub;
    const { weights, layout } = pool.model(query.model);
    const config = streamConfig(query, { model: weights.id, dims: layout.dims });
    this.#hub.admit(this, { model: config.model });
    const session = new Session(config, { owner: this.owner, layout, nowMs: this.#hub.nowMs() });
    this.#stream = this.#openStream(session, { want: wantOf(config) });
    this.#session = session;
    this.#token = this.#hub.store.issue(session);
    this.#hub.attach(session, this);
    this.#sendReady(session, { resumed: false });
  }

  async #resume(query: StreamQuery, token: string): Promise<void> {
    const received = query.received ?? 0;
    let from: Checkpoint | undefined;
    const { session, token: nextToken } = await this.#hub.store.redeem(token, {
      owner: this.owner,
      accept: (session) => { // whatever is refused here leaves the token as it is
        checkResume(session, { query, received });
        from = session.history.before(received);
        if (!this.#open || !from) {
          throw new CpcError(
            "unknown_resume_token",
            "the session's history does not reach back so far",
          );
        }
        this.#hub.admit(this, { model: session.config.model, session });
        const [{ selection }] = session.selectionsFrom(session.history.frameOf(from));
        this.#stream = this.#openStream(session, { want: wantOf(selection), restore: from });
      },
    });
    // the socket is gone already
    if (!this.#open || !from || !this.#stream) return this.#hub.keep(session);
    this.#hub.attach(session, this); // an older socket of it gets 4409 and lets go
    this.#session = session;
    this.#token = nextToken;
    session.detach();
    this.#firstFrame = received;
    this.#sendReady(session, { resumed: true });
    this.#wire.ping(READY_PING);
    await replay(session, {
      stream: this.#stream,
      from,
      onSelection: (selection, fromFrame) => { // the answer was lost with the frames before it
        if (fromFrame > this.#firstFrame) this.#sendUpdated(selection);
      },
    });
  }

  #openStream(
    session: Session,
    { want, restore }: { want: Want; restore?: Checkpoint },
  ): EngineStream {
    const checkpointHops = Math.ceil(
      CHECKPOINT_SECONDS * MODEL_SAMPLE_RATE / session.layout.plan.hopSamples,
    );
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
    this.#checkLength(bytes.length);
    for (let at = 0; at < bytes.length && this.#open; at += PART_BYTES) {
      await this.#waitForRoom();
      const { session, stream } = this.#live();
      this.#push(session.hear(bytes.subarray(at, at + PART_BYTES)), { session, stream });
    }
  }

  #checkLength(bytes: number): void {
    const { decoder, config } = this.#live().session;
    const seconds = bytes / decoder.frameBytes / config.sample_rate;
    const { maxChunkSeconds } = this.#hub.limits;
    if (seconds <= maxChunkSeconds) return;
    throw new CpcError(
      "message_too_big",
      `a message has up to ${maxChunkSeconds} s of audio, got ${
        seconds.toFixed(1)
      } s; send it in parts`,
    );
  }

  #push(
    samples: Float32Array<ArrayBuffer>,
    { session, stream }: { session: Session; stream: EngineStream },
  ): void {
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
    this.#send({
      type: "done",
      samples: session.samples,
      frames,
      seconds,
      stats: this.#stats.summary(seconds),
    });
    this.#done = true;
    this.#stream?.release();
    this.#stream = undefined;
    this.#close(1000, "done"); // the session is let go when the client has acknowledged
  }

  /** Waits until the queue and the outgoing buffer have room; meanwhile the socket is not read. */
  async #waitForRoom(): Promise<void> {
    if (!this.#open || this.#hasRoom()) return;
    const startedMs = this.#hub.nowMs();
    this.#inbox.hold(true);
    const { promise, resolve } = Promise.withResolvers<void>();
    const room = this.#room = { resolve, readerWasSlow: this.#readerIsSlow };
    await promise;
    if (!this.#open) return;
    this.#inbox.hold(false);
    const waitedMs = this.#hub.nowMs() - startedMs;
    if (
      waitedMs >= this.#hub.limits.backlogWarningS * 1000 && !room.readerWasSlow &&
      !this.#warnedBacklog
    ) {
      this.#warnedBacklog = true;
      this.warn(
        "backlog",
        `audio comes faster than it is computed: reading waited ${Math.round(waitedMs)} ms`,
      );
    }
  }

  get #readerIsSlow(): boolean {
    return this.#wire.bufferedAmount > this.#hub.limits.maxOutputBytes;
  }

  #hasRoom(): boolean {
    const session = this.#session;
    if (!session || !this.#stream) return true; // nothing to wait for: it ends in an error
    return !this.#readerIsSlow &&
      this.#stream.queuedSamples < queueSamples(session, this.#hub.limits);
  }

  #frames(stepped: FrameBlock, computeMs: number): void {
    const session = this.#session;
    if (!session || !this.#open) return;
    session.frames = Math.max(session.frames, stepped.frames);
    const shape = frameShape(session, stepped.want);
    const block = rowsFrom(stepped, { first: this.#firstFrame, shape });
    if (block.count > 0) {
      const { format, dtype } = session.config;
      this.#write(
        format === "binary"
          ? encodeBinary(block, { shape, dtype })
          : encodeJson(block, { shape, formatRow }),
      );
      this.#hub.metrics.framesSent(block.count);
    }
    this.#stats.sent(block.frames, { nowMs: this.#hub.nowMs(), computeMs });
    this.#wake();
  }

  #sendReady(session: Session, { resumed }: { resumed: boolean }): void {
    this.#send(
      readyMessage(session, {
        token: this.#token,
        atFrame: this.#firstFrame,
        limits: this.#hub.limits,
        resumed,
      }),
    );
  }

  #sendUpdated({ output, steps, every }: Selection): void {
    this.#send({ type: "updated", output: [...output], steps: [...steps], every });
  }

  #live(): { session: Session; stream: EngineStream } {
    if (!this.#session || !this.#stream) {
      throw new CpcError("model_failed", "this stream has ended");
    }
    return { session: this.#session, stream: this.#stream };
  }

  #send(message: ServerMessage): void {
    this.#write(JSON.stringify(message));
  }

  #write(data: string | Uint8Array): void {
    if (this.#open) this.#wire.send(data, () => this.#wake());
  }

  #wake(): void {
    const room = this.#room;
    if (!room) return;
    room.readerWasSlow ||= this.#readerIsSlow;
    if (this.#open && !this.#hasRoom()) return;
    this.#room = undefined;
    room.resolve();
  }

  #close(code: number, reason: string): void {
    this.#hub.metrics.closed(code);
    this.#inbox.clear(); // a paused socket would not see the client's answer
    this.#wire.close(code, reason);
  }

  #end({ keep }: { keep: boolean }): void {
    if (!this.#open) return;
    this.#open = false;
    this.#inbox.clear();
    this.#stream?.release();
    this.#stream = undefined;
    this.#hub.detach(this, this.#session, { keep });
    this.#wake();
  }
}
