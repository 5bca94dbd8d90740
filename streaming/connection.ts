/**
 * One socket of a stream, from its query to its close. An audio message becomes context vectors on
 * this way: `receive` → `#pump` → `Hearing` → `#push` → the model workers → `#sendFrames` → the
 * socket.
 *
 * The connection takes messages one at a time. While the stream's queue or the socket's outgoing
 * buffer is full, it takes no message and does not read the socket, so TCP throttles the sender.
 */
import type { Span } from "@opentelemetry/api";
import { CpcError, toCpcError } from "../errors.ts";
import { listen } from "../inference/listen.ts";
import type { FrameBlock } from "../inference/messages.ts";
import { exactFrames, MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import {
  inSpan,
  type RequestHeaders,
  serverSpan,
  spanFailed,
  traceIdOf,
  within,
} from "../tracing.ts";
import { doneMessage, drainingMessage, errorMessage, readyMessage } from "./answers.ts";
import { obey } from "./control.ts";
import { Hearing, PART_BYTES } from "./hearing.ts";
import { type Hub, STORE_WARNING } from "./hub.ts";
import { Inbox } from "./inbox.ts";
import type { Member, StreamNames } from "./member.ts";
import { catchUp, open, type Opened } from "./opening.ts";
import { Outgoing } from "./outgoing.ts";
import { toldLimits } from "./protocol/limits.ts";
import { parseClientMessage } from "./protocol/client_messages.ts";
import { parseStreamQuery, type StreamQuery } from "./protocol/query.ts";
import { Room } from "./room.ts";
import { StreamStats } from "./stats.ts";
import { Watch } from "./watch.ts";
import type { Wire } from "./wire.ts";

/** What one socket may have of the thread before the others have their turn. */
const TURN = { messages: 64, bytes: 64 * 1024 } as const;
/** Turns of the event loop in which all the others are heard, the model workers included. */
const OTHERS_TURNS = 32;
/** Payload of the ping after the `ready` of a resume: a client that answers has the new token. */
const READY_PING = "ready";
/** Errors after which the session can still be resumed. */
const RESUMABLE: ReadonlySet<string> = new Set([
  "idle_timeout",
  "draining",
  "overloaded",
  "slow_reader",
  "message_too_big",
  "model_failed",
  "model_unloaded",
]);

/** A stream that is open, and what hears its audio. */
interface Streaming extends Opened {
  readonly hearing: Hearing;
}

/** One socket. */
export class Connection implements Member {
  readonly owner: string;
  readonly address: string | undefined;
  streams = 1;
  readonly #wire: Wire;
  readonly #hub: Hub;
  readonly #inbox: Inbox;
  readonly #out: Outgoing;
  readonly #room: Room;
  readonly #watch: Watch;
  readonly #stats: StreamStats;
  readonly #request?: string;
  /** From the handshake to the close. */
  readonly #span: Span;
  #opened?: Streaming;
  /**
   * `opening` until `ready` and a resumed client's missing frames are sent; `done` once `done` is.
   */
  #stage: "opening" | "streaming" | "done" | "ended" = "opening";
  #pumping = false;
  /** The server stops: no further message is taken. */
  #stopping = false;

  /**
   * @param options `owner`: name of the key, "" without one; `request`: id of the handshake;
   *   `headers`: its headers, which may name the client's trace
   */
  constructor(
    wire: Wire,
    { hub, owner, request, headers }: {
      hub: Hub;
      owner: string;
      request?: string;
      headers?: RequestHeaders;
    },
  ) {
    const { limits, nowMs } = hub;
    this.#request = request;
    this.#span = serverSpan("stream", {
      headers,
      attributes: {
        "cpc.request": request,
        "cpc.key": owner || undefined,
        "client.address": wire.address,
      },
    });
    this.#stats = new StreamStats((seconds) => hub.metrics.frameSentAfter(seconds));
    this.owner = owner;
    this.address = wire.address;
    this.#wire = wire;
    this.#hub = hub;
    this.#inbox = new Inbox(wire);
    this.#out = new Outgoing(wire, {
      maxBytes: limits.maxOutputBytes,
      onSent: () => this.#room.wake(),
      clock: hub.frameClock,
    });
    this.#room = new Room({
      inbox: this.#inbox,
      out: this.#out,
      backlog: () => this.#opened,
      limits,
      nowMs,
    });
    this.#watch = new Watch(limits, nowMs());
  }

  get model(): string | undefined {
    return this.#opened?.session.config.model;
  }

  get audioMs(): number {
    return this.#watch.audioMs;
  }

  get openedAtMs(): number {
    return this.#opened?.session.openedAtMs ?? Infinity;
  }

  get lateS(): number {
    const queuedS = (this.#opened?.stream.queuedSamples ?? 0) / MODEL_SAMPLE_RATE;
    return this.#watch.lateS(queuedS, this.#hub.nowMs());
  }

  /** By which the log knows it. */
  get #names(): StreamNames {
    return {
      session: this.#opened?.session.id,
      request: this.#request,
      key: this.owner || undefined,
      address: this.address,
      trace: traceIdOf(this.#span),
    };
  }

  /** Neither done nor gone. */
  get #live(): boolean {
    return this.#stage === "opening" || this.#stage === "streaming";
  }

  /** Opens or resumes the session; answers `ready`, or an error and its close code. */
  async start(params: URLSearchParams): Promise<void> {
    try {
      const query = parseStreamQuery(params);
      const name = query.resume === undefined ? "open" : "resume";
      await within(this.#span, () => inSpan(name, () => this.#open(query)));
      if (!this.#opened || !this.#live) return;
      this.#stage = "streaming";
      void this.#pump();
    } catch (error) {
      this.fail(error);
    }
  }

  async #open(query: StreamQuery): Promise<void> {
    const opened = await open(query, {
      hub: this.#hub,
      member: this,
      isThere: () => this.#live,
      onFrames: (block, computeMs) => this.#sendFrames(block, computeMs),
      onError: (error) => this.fail(error),
    });
    if (!opened) return;
    this.#opened = { ...opened, hearing: this.#hearing(opened) };
    const { session, token, resumed } = opened;
    const limits = toldLimits(this.#hub.limits, session.owner);
    const { model } = session.config;
    this.#span.setAttributes({ "cpc.session": session.id, "cpc.model": model });
    this.#hub.opened({ model, resumed: resumed !== undefined }, this.#names);
    this.#out.say(readyMessage(session, { token, limits, received: resumed?.received }));
    if (resumed) this.#wire.ping(READY_PING);
    if (!this.#hub.store.works) this.warn("store", STORE_WARNING);
    await catchUp(opened, this.#out);
  }

  #hearing(opened: Opened): Hearing {
    return new Hearing(opened.session, {
      room: this.#room,
      maxSeconds: this.#hub.limits.maxChunkSeconds,
      isThere: () => this.#live,
      give: (samples) => this.#push(samples, opened),
      rests: this.#hub.rests,
    });
  }

  /** Takes a message from the client. */
  receive(data: string | Uint8Array): void {
    if (!this.#live) return;
    this.#watch.heard(this.#hub.nowMs());
    this.#inbox.push(data);
    void this.#pump();
  }

  /**
   * Works on the inbox, message by message, while there is room. After {@linkcode TURN} it lets
   * the other sockets have their turn, so that a flood of small messages starves nobody.
   */
  async #pump(): Promise<void> {
    const opened = this.#opened;
    if (this.#pumping || this.#stage !== "streaming" || !opened) return;
    this.#pumping = true;
    let left: { messages: number; bytes: number } = { ...TURN };
    try {
      while (this.#live && !this.#stopping && this.#inbox.length > 0) {
        await this.#room.wait();
        const waiting = this.#inbox.length;
        const messages = opened.hearing.takesPackets ? 1 : left.messages;
        const data = this.#inbox.take({ bytes: PART_BYTES, messages });
        if (data === undefined) break; // the stream ended meanwhile
        if (typeof data === "string") await this.#obey(data, opened);
        else await opened.hearing.hear(data);
        left.messages -= Math.max(1, waiting - this.#inbox.length);
        left.bytes -= data.length;
        if (left.messages > 0 && left.bytes > 0) continue;
        this.#inbox.hold(true); // else reading goes on while the others wait
        await listen(OTHERS_TURNS);
        this.#inbox.hold(this.#stopping);
        left = { ...TURN };
      }
      this.#watch.caughtUp(this.#hub.nowMs());
    } catch (error) {
      this.fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  /** Hands samples at 16 kHz, `[n, streams]`, to the model workers. */
  #push(samples: Float32Array<ArrayBuffer>, { session, stream }: Opened): void {
    const nowMs = this.#hub.nowMs();
    const seconds = samples.length / session.streams / MODEL_SAMPLE_RATE;
    this.#watch.heardAudio(seconds, nowMs);
    this.#hub.metrics.audioReceived(seconds * session.streams, this.owner);
    stream.push(samples);
    this.#stats.arrived(exactFrames(session.layout.plan, session.history.endSample), nowMs);
    this.#stats.backlog(stream.queuedSamples / MODEL_SAMPLE_RATE);
  }

  /** Sends the frames that the model workers computed. */
  #sendFrames(block: FrameBlock, computeMs: number): void {
    const session = this.#opened?.session;
    if (!session || this.#stage === "ended") return;
    session.frames = Math.max(session.frames, block.frames);
    const sent = this.#out.frames(block, session);
    if (sent > 0) this.#hub.metrics.framesSent(sent, this.owner);
    this.#stats.sent(block.frames, { nowMs: this.#hub.nowMs(), computeMs });
    this.#room.wake();
  }

  async #obey(text: string, opened: Streaming): Promise<void> {
    const message = parseClientMessage(text);
    if (message.type === "keep_alive") return; // receiving it was enough
    if (message.type === "finish") return await this.#finish(opened);
    const frames = await opened.stream.drained();
    if (!this.#live) return;
    const answer = obey(message, opened, { frames, out: this.#out, stats: this.#stats });
    if (message.type !== "mark") await this.#hub.store.given(); // a resume goes on from there
    this.#out.say(answer);
  }

  async #finish({ session, stream, hearing }: Streaming): Promise<void> {
    await hearing.finish();
    if (!this.#live) return;
    const frames = await stream.finish();
    if (!this.#live) return;
    this.#out.say(doneMessage(session, { frames, stats: this.#stats }));
    this.#stage = "done";
    stream.release();
    this.#close(1000, "done"); // the session ends when the client acknowledges
  }

  /** The client has answered a ping. */
  pong(data: string): void {
    this.#watch.answered();
    if (data !== READY_PING || !this.#opened || this.#stage === "ended") return;
    this.#hub.store.confirm(this.#opened.session);
  }

  tick(nowMs: number): void {
    if (!this.#live) return;
    const verdicts = this.#watch.look(nowMs, {
      openedAtMs: this.#opened?.session.openedAtMs,
      busy: this.#pumping,
      paused: this.#inbox.paused,
      waitingBytes: this.#out.waitingBytes,
    });
    for (const verdict of verdicts) {
      switch (verdict.act) {
        case "ping":
          this.#wire.ping("");
          break;
        case "cut":
          this.#wire.terminate();
          break;
        case "warn":
          this.#out.say({ type: "warning", code: verdict.code, message: verdict.message });
          break;
        case "end":
          this.fail(verdict.error);
          break;
      }
    }
  }

  warn(code: "store", message: string): void {
    if (this.#opened && this.#live) this.#out.say({ type: "warning", code, message });
  }

  async drain(late: Promise<void>): Promise<void> {
    this.#stopping = true;
    this.#inbox.hold(true);
    // a stream that broke has told its client already
    await Promise.race([late, this.#opened?.stream.drained().catch(() => {})]);
    if (!this.#live) return;
    this.#out.say(drainingMessage(this.#hub.store.outlives ? this.#opened?.token : undefined));
    this.fail(new CpcError("draining", "the server is stopping", { retryAfterMs: 1000 }));
  }

  fail(thrown: unknown): void {
    if (!this.#live) return;
    const error = toCpcError(thrown);
    spanFailed(this.#span, error);
    this.#hub.failed(error, this.#names);
    this.#out.say(errorMessage(error, this.#request));
    this.#end({ keep: RESUMABLE.has(error.code) });
    this.#close(error.close, error.code);
  }

  /** The socket is gone. The session stays for a while, unless it is done. */
  closed({ clean }: { clean: boolean }): void {
    this.#end({ keep: !clean });
  }

  #close(code: number, reason: string): void {
    this.#hub.metrics.closed(code);
    this.#inbox.clear(); // a paused socket would not see the client's answer
    this.#wire.close(code, reason);
  }

  #end({ keep }: { keep: boolean }): void {
    if (this.#stage === "ended") return;
    this.#span.setAttributes({
      "cpc.done": this.#stage === "done",
      "cpc.frames": this.#opened?.session.frames,
    });
    this.#span.end();
    this.#stage = "ended";
    this.#out.end();
    this.#inbox.clear();
    this.#opened?.stream.release();
    this.#hub.detach(this, this.#opened?.session, { keep });
    this.#room.end();
  }
}
