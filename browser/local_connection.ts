/**
 * One stream in the browser, from its query to its end: what `streaming/connection.ts` is on a
 * server, without a network, other clients or limits. The same modules parse, resample and answer,
 * so a page gets the same messages.
 */
import { isOpus } from "../audio/stream_encodings.ts";
import type { StreamState } from "../client/engine_messages.ts";
import { CpcError, toCpcError } from "../errors.ts";
import type { EngineStream } from "../inference/engine_stream.ts";
import type { Checkpoint, FrameBlock, Want } from "../inference/messages.ts";
import { wantOf } from "../inference/want.ts";
import { exactFrames, MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import { type ModelLayout, modelLayout } from "../model/engine.ts";
import { doneMessage, errorMessage, readyMessage } from "../streaming/answers.ts";
import { obey } from "../streaming/control.ts";
import { catchUp, type Opened } from "../streaming/opening.ts";
import { Outgoing } from "../streaming/outgoing.ts";
import { parseClientMessage } from "../streaming/protocol/client_messages.ts";
import type { ToldLimits } from "../streaming/protocol/limits.ts";
import { parseStreamQuery, streamConfig } from "../streaming/protocol/query.ts";
import { checkpointHops, Session } from "../streaming/session/session.ts";
import { StreamStats } from "../streaming/stats.ts";
import type { LocalModel } from "./local_model.ts";
import type { LocalStreams } from "./local_streams.ts";
import { restoredSession, stateOf } from "./stream_state.ts";

/** A page's end of a stream. */
export interface LocalWire {
  send(data: string | Uint8Array): void;
  close(code: number, reason: string): void;
}

/** A message is as long as is copied at once; the rest is the page's own affair. */
const FOREVER_S = 1e9;
const LOCAL_LIMITS: ToldLimits = {
  streams: 1024,
  key_streams: 1024,
  message_bytes: 1024 * 1024,
  idle_s: FOREVER_S,
  session_s: FOREVER_S,
  resume_s: 0,
  chunk_s: FOREVER_S,
  backlog_s: FOREVER_S,
  backlog_warning_s: FOREVER_S,
  output_bytes: Number.MAX_SAFE_INTEGER,
  slow_reader_warning_s: FOREVER_S,
  slow_reader_s: FOREVER_S,
  kept_sessions: 0,
};
let count = 0;

/** One stream of a page. */
export class LocalConnection {
  readonly #wire: LocalWire;
  readonly #model: LocalModel;
  readonly #streams: LocalStreams;
  readonly #layout: ModelLayout;
  readonly #out: Outgoing;
  readonly #stats = new StreamStats();
  #opened?: Opened;
  /** Messages are taken one after the other. */
  #taken: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(
    wire: LocalWire,
    { model, streams }: { model: LocalModel; streams: LocalStreams },
  ) {
    this.#wire = wire;
    this.#model = model;
    this.#streams = streams;
    this.#layout = modelLayout(model.weights.config);
    this.#out = new Outgoing({ bufferedAmount: 0, send: (data) => wire.send(data) }, {
      maxBytes: Infinity,
      onSent() {},
    });
  }

  /** Begins, or continues with a state; answers `ready`, or an error and its close code. */
  start(query: string, state?: StreamState): void {
    this.#next(async () => {
      const opened = this.#opened = this.#open(query, state);
      const { session, resumed } = opened;
      const limits = LOCAL_LIMITS;
      const { received } = resumed ?? {};
      this.#out.say(readyMessage(session, { token: "", limits, received }));
      await catchUp(opened, this.#out);
    });
  }

  /** Takes a message of the page. */
  receive(data: string | Uint8Array): void {
    this.#next(async (opened) => {
      if (typeof data === "string") await this.#obey(data, opened);
      else this.#push(opened.session.hear(data), opened);
    });
  }

  /** What it takes to continue later, once everything before was computed. */
  save(give: (state: StreamState) => void): void {
    this.#next(async ({ session, stream }) => {
      await stream.drained();
      give(stateOf(session, { weights: this.#model.version }));
    });
  }

  /** The page has gone, or has closed it. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#out.end();
    this.#opened?.stream.release();
  }

  #next(act: (opened: Opened) => Promise<void>): void {
    this.#taken = this.#taken.then(async () => {
      if (this.#ended) return;
      try {
        await act(this.#opened!); // the first one opens it
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #open(query: string, state?: StreamState): Opened {
    const { weights } = this.#model;
    const asked = parseStreamQuery(new URLSearchParams(query));
    if (isOpus(asked.encoding ?? "s16le")) {
      const why = `encoding ${asked.encoding} is decoded by servers alone; send samples`;
      throw new CpcError("invalid_option", why, { param: "encoding" });
    }
    const at = { layout: this.#layout, heads: weights.heads, nowMs: performance.now() };
    if (state === undefined) {
      const { dims } = this.#layout;
      const config = streamConfig(asked, { model: weights.id, dims, heads: weights.heads });
      // no UUID: pages that are neither https nor localhost have none
      const session = new Session(config, { ...at, owner: "", id: `local-${++count}` });
      return { session, stream: this.#stream(session, { want: wantOf(config) }), token: "" };
    }
    const { session, from, received } = restoredSession(state, {
      ...at,
      query: asked,
      version: this.#model.version,
    });
    const [{ selection }] = session.selectionsFrom(session.history.frameOf(from));
    const stream = this.#stream(session, { want: wantOf(selection), restore: from });
    return { session, stream, token: "", resumed: { received, from } };
  }

  #stream(
    session: Session,
    { want, restore }: { want: Want; restore?: Checkpoint },
  ): EngineStream {
    return this.#streams.open({
      channels: session.streams,
      want,
      restore,
      checkpointHops: checkpointHops(this.#layout.plan),
      onFrames: (block, { checkpoint, computeMs }) => {
        if (checkpoint) session.history.add(checkpoint);
        this.#sendFrames(block, { session, computeMs });
      },
      onError: (error) => this.#fail(error),
    });
  }

  #push(samples: Float32Array<ArrayBuffer>, { session, stream }: Opened): void {
    stream.push(samples);
    this.#stats.arrived(
      exactFrames(this.#layout.plan, session.history.endSample),
      performance.now(),
    );
    this.#stats.backlog(stream.queuedSamples / MODEL_SAMPLE_RATE);
  }

  #sendFrames(
    block: FrameBlock,
    { session, computeMs }: { session: Session; computeMs: number },
  ): void {
    session.frames = Math.max(session.frames, block.frames);
    this.#out.frames(block, session);
    this.#stats.sent(block.frames, { nowMs: performance.now(), computeMs });
  }

  async #obey(text: string, opened: Opened): Promise<void> {
    const message = parseClientMessage(text);
    if (message.type === "keep_alive") return;
    if (message.type === "finish") return await this.#finish(opened);
    const frames = await opened.stream.drained();
    if (this.#ended) return;
    this.#out.say(obey(message, opened, { frames, out: this.#out, stats: this.#stats }));
  }

  async #finish(opened: Opened): Promise<void> {
    const { session, stream } = opened;
    this.#push(session.flush(), opened);
    const frames = await stream.finish();
    this.#out.say(doneMessage(session, { frames, stats: this.#stats }));
    this.end();
    this.#wire.close(1000, "done");
  }

  #fail(thrown: unknown): void {
    if (this.#ended) return;
    const error = toCpcError(thrown);
    if (error.code === "internal") console.error(error.cause);
    this.#out.say(errorMessage(error));
    this.end();
    this.#wire.close(error.close, error.code);
  }
}
