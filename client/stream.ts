/** A program's stream: audio in, frames out, across lost connections. */
import { type Audio, encodeAudio, isOpus, SAMPLE_BYTES } from "./audio.ts";
import { type Events, Listeners } from "./events.ts";
import type { Frames } from "./frames.ts";
import { Heartbeat } from "./heartbeat.ts";
import {
  type KnownOptions,
  type Options,
  streamQuery,
  streamUrl,
  subprotocols,
  withDefaults,
} from "./options.ts";
import { type Asking, Outbox } from "./outbox.ts";
import type { ClientMessage, Done, Marked, Ready, Selection } from "./protocol.ts";
import { fulfils, Receiver, selectionOf } from "./receiver.ts";
import { canResume, resume } from "./resume.ts";
import { Sender } from "./sender.ts";
import { Connection } from "./socket.ts";
import { StreamError, toStreamError } from "./stream_error.ts";
import { Unread } from "./unread.ts";

const CHUNK_BYTES = 32 * 1024;
/** Of Opus, a second that may be sent ahead: 128 kbit/s, more than speech takes. */
const OPUS_BYTES_PER_SECOND = 16_000;

/** One stream: audio in, frames out. `connect` creates it. */
export class CpcStream {
  /** Resolves when the stream has ended, with the error if there was one. */
  readonly closed: Promise<StreamError | undefined>;
  readonly #options: KnownOptions;
  readonly #url: URL;
  #state: "new" | "connecting" | "open" | "resuming" | "closed" = "new";
  #connection: Connection | undefined;
  #error: StreamError | undefined;
  #resolveClosed: (error: StreamError | undefined) => void = () => {};
  readonly #ending = new AbortController();
  readonly #listeners = new Listeners();
  readonly #unread = new Unread();
  readonly #outbox = new Outbox();
  /** Blobs that are being read, one after the other; what comes later waits for them. */
  #blobs: Promise<unknown> | undefined;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  readonly #heartbeat: Heartbeat;
  readonly #onAbort = () =>
    this.#end(
      new StreamError("aborted", "the stream was aborted", { cause: this.#options.signal?.reason }),
    );

  /** Describes a stream; `connect` opens it. */
  constructor(url: string | URL, options: Options = {}) {
    this.#options = withDefaults(options);
    const { encoding, channels, output = ["context"], steps = [], every = 1 } = this.#options;
    const { keepAlive, timeoutMs, windowSeconds } = this.#options;
    const sampleBytes = isOpus(encoding) ? undefined : SAMPLE_BYTES[encoding] * channels;
    this.#url = streamUrl(url);
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#receiver = new Receiver({
      selection: { output, steps, every },
      sampleBytes,
      outbox: this.#outbox,
      listeners: this.#listeners,
      unread: this.#unread,
      sender: () => this.#sender,
      fails: (error) => this.#end(error),
    });
    this.#sender = new Sender({
      outbox: this.#outbox,
      connection: () => this.#openConnection,
      windowBytes: () =>
        windowSeconds *
        (sampleBytes ? this.ready.sample_rate * sampleBytes : OPUS_BYTES_PER_SECOND),
      confirmedBytes: () => this.#receiver.confirmedBytes,
      unreadFrames: () => this.#unread.rowsBehind,
    });
    this.#heartbeat = new Heartbeat({
      connection: () => this.#openConnection,
      isAnswerOwed: () => this.#sender.isProbing || this.#outbox.isAnswerOwed,
      idleMs: () => this.ready.limits.idle_s * 1000,
      keepAlive,
      timeoutMs,
    });
  }

  /** The server's latest `ready`. @throws {TypeError} before the stream is open */
  get ready(): Ready {
    return this.#receiver.ready;
  }

  /** What the frames carry now. */
  get selection(): Selection {
    return this.#receiver.selection;
  }

  /** Connects; `connect` calls it. @throws {StreamError} */
  async open(): Promise<void> {
    if (this.#state !== "new") throw new TypeError("a stream can be opened only once");
    this.#state = "connecting";
    const { signal } = this.#options;
    try {
      if (signal?.aborted) this.#onAbort();
      else signal?.addEventListener("abort", this.#onAbort, { once: true });
      await this.#dial(streamQuery(this.#options));
    } catch (error) {
      this.#end(toStreamError(error));
    }
    if (this.#isClosed) throw this.#error ?? new StreamError("closed", "the stream is closed");
    this.#heartbeat.start();
    this.#began();
  }

  /**
   * Sends audio. Floats and 16-bit integers are converted to the stream's encoding; bytes must
   * already be in it. Resolves when more is welcome, so awaiting it keeps a fast sender at the
   * server's pace. The audio is sent in any case.
   *
   * With `encoding: "opus"`, each call sends one packet; with `ogg-opus` and `webm-opus`, bytes as
   * the recorder gives them, cut anywhere, or as a `Blob`.
   *
   * @param audio interleaved if there are several channels
   * @throws {StreamError} when the stream has ended
   */
  async send(audio: Audio | Blob): Promise<void> {
    this.#assertOpen();
    const reading = this.#blobs;
    if (audio instanceof Blob || reading) {
      const sent = Promise.resolve(reading)
        .then(() => audio instanceof Blob ? audio.arrayBuffer() : audio)
        .then((audio) => this.#queue(audio));
      const blobs = this.#blobs = sent.catch(() => {}) // whoever sent it is told
        .then(() => {
          if (this.#blobs === blobs) this.#blobs = undefined;
        });
      await sent;
    } else this.#queue(audio);
    await this.#sender.untilWelcome();
  }

  #queue(audio: Audio): void {
    this.#assertOpen();
    const { encoding } = this.#options;
    const bytes = encodeAudio(audio, encoding);
    const most = this.ready.limits.message_bytes;
    const chunkBytes = encoding === "opus" ? most : Math.min(CHUNK_BYTES, most);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      this.#outbox.addAudio(bytes.subarray(at, at + chunkBytes));
    }
  }

  /** Resolves when everything sent so far has been processed and its frames have arrived. */
  mark(id: unknown = null): Promise<Marked> {
    return this.#ask({ type: "mark" }, {
      read: (message) =>
        message.type === "marked"
          ? { id, samples: message.samples, frames: message.frames }
          : undefined,
    });
  }

  /**
   * Begins a new segment: samples and frames count from 0 again. Audio sent from now on belongs to
   * it.
   */
  reset(): Promise<{ segment: number }> {
    return this.#ask({ type: "reset" }, {
      isBarrier: true,
      read: (message) => message.type === "reset" ? { segment: message.segment } : undefined,
    });
  }

  /**
   * Changes what frames carry, from the next frame on.
   *
   * @param change `voice`: enrols a voice for `head.speaker`, a pooled context of the model
   */
  update(
    { output, steps, every, voice }: Partial<Selection> & { voice?: ArrayLike<number> },
  ): Promise<Selection> {
    const change = {
      ...(output && { output: [...output] }),
      ...(steps && { steps: [...steps] }),
      ...(every !== undefined && { every }),
      ...(voice && { voice: Array.from(voice) }),
    };
    return this.#ask({ type: "update", ...change }, {
      isBarrier: true,
      read: (message) =>
        message.type === "updated" && fulfils(message, { output, steps, every })
          ? selectionOf(message)
          : undefined,
    });
  }

  /** Restarts the server's idle clock. */
  keepAlive(): void {
    this.#openConnection?.send(JSON.stringify({ type: "keep_alive" }));
  }

  /** Ends the audio. The last frames follow, then the stream closes. */
  finish(): Promise<Done> {
    return this.#ask({ type: "finish" }, {
      isBarrier: true,
      read: (message) => message.type === "done" ? message : undefined,
    });
  }

  /** Ends the stream at once; the server forgets it. */
  close(): void {
    this.#end(undefined);
  }

  /**
   * Listens to a kind of event. With a listener for frames, iteration gives none.
   *
   * @returns a function that stops listening
   */
  on<T extends keyof Events>(type: T, listener: (event: Events[T]) => void): () => void {
    return this.#listeners.add(type, listener);
  }

  /**
   * Frames as they arrive, until `finish()` or `close()`; throws the error that ended the stream.
   * Unread frames are kept.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Frames, void, undefined> {
    yield* this.#unread.read({
      isEnded: () => this.#isClosed,
      isRead: () => this.#sender.pump(),
    });
    if (this.#error) throw this.#error;
  }

  /** Connects to a new or existing session; resolves after `ready`. */
  async #dial(query: readonly (readonly [name: string, value: string])[]): Promise<void> {
    if (this.#error) throw this.#error;
    const { key, timeoutMs, WebSocket } = this.#options;
    const url = new URL(this.#url);
    for (const [name, value] of query) url.searchParams.append(name, value);
    this.#connection = new Connection({
      url,
      protocols: subprotocols(key),
      WebSocket,
      timeoutMs,
      hears: (message) => this.#receiver.take(message),
      isLost: (error) => void this.#lost(error),
    });
    await this.#connection.opened;
  }

  /** A connection is ready: sends what it lacks, then what is new. */
  #began(): void {
    this.#state = "open";
    this.#listeners.emit("ready", this.ready);
    this.#listeners.emit("state", { state: "open", attempt: 0, retryInMs: 0 });
    this.#sender.pump();
  }

  /** Sends a request to the server. */
  #ask<A>(message: ClientMessage, asking: Asking<A>): Promise<A> {
    const answer = this.#asked(message, asking);
    answer.catch(() => {}); // a caller who does not await it learns of a failure elsewhere
    return answer;
  }

  async #asked<A>(message: ClientMessage, asking: Asking<A>): Promise<A> {
    this.#assertOpen();
    if (this.#blobs) {
      await this.#blobs;
      this.#assertOpen();
    }
    const answer = this.#outbox.ask(message, asking);
    this.#sender.pump();
    return await answer;
  }

  /** The connection is gone: resume, or end. */
  async #lost(error: StreamError): Promise<void> {
    if (this.#isClosed) return;
    if (this.#receiver.isDone) return this.#end(undefined);
    if (!this.#options.resume || !canResume(error)) return this.#end(error);
    this.#state = "resuming";
    try {
      await resume(error, {
        forMs: this.#options.resumeForMs,
        received: this.#receiver.received,
        dial: (received) => this.#dialAgain(received),
        isResetPending: () => this.#outbox.isResetPending,
        tells: (state) => this.#listeners.emit("state", state),
        signal: this.#ending.signal,
      });
      if (!this.#isClosed) this.#began();
    } catch (thrown) {
      this.#end(toStreamError(thrown));
    }
  }

  /** Resumes the session, or begins it anew where it is gone and nothing had come of it yet. */
  async #dialAgain(received: number): Promise<void> {
    try {
      await this.#dial([["resume", this.ready.resume], ["received", String(received)]]);
    } catch (error) {
      const isGone = toStreamError(error).code === "unknown_resume_token";
      if (!isGone || !this.#receiver.isAtBeginning || this.#isClosed) throw error;
      await this.#dial(streamQuery({ ...this.#options, ...this.selection }));
    }
  }

  get #openConnection(): Connection | undefined {
    return this.#state === "open" ? this.#connection : undefined;
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #end(error: StreamError | undefined): void {
    if (this.#isClosed) return;
    this.#state = "closed";
    this.#error = error;
    this.#heartbeat.stop();
    this.#ending.abort();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#connection?.close();
    const why = error ?? new StreamError("closed", "the stream is closed");
    this.#outbox.clear(why);
    this.#sender.end(why);
    this.#unread.wake();
    this.#listeners.emit("state", { state: "closed", attempt: 0, retryInMs: 0, error });
    this.#resolveClosed(error);
  }

  #assertOpen(): void {
    if (this.#state === "open" || this.#state === "resuming") return;
    throw this.#error ?? new StreamError("closed", "the stream is closed");
  }
}
