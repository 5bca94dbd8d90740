// @ts-check
/**
 * Client of cpc-stream for browsers, Deno and Node: one module without dependencies, served at
 * `/client.js`. Send audio, iterate frames; a lost connection is resumed without losing or doubling
 * a frame. `docs/client.md` explains it.
 *
 * @example
 * ```js
 * const stream = await connect("http://127.0.0.1:8000", { sampleRate: 48_000, encoding: "f32le" });
 * microphone.onsamples = (samples) => stream.send(samples); // Float32Array
 * for await (const { first, context } of stream) console.log(first, context.length, "vectors");
 * ```
 */

/** @typedef {"context" | "latent" | "prediction" | "score"} Output */
/**
 * @typedef {{ nce: number[], correct: number[], surprise: number }} Score how well predictions of
 *   the past fitted a frame; nce and correct by step
 */
/**
 * Frames that came together; row i is frame `first + i * every` of `segment`.
 * @typedef {object} Frames
 * @property {number} segment
 * @property {number} first
 * @property {number} count
 * @property {number} every
 * @property {number} time seconds from the segment's start to the first row's
 * @property {number[]} steps which predictions and scores the rows have
 * @property {Float32Array[]} [context] count × [C]
 * @property {Float32Array[]} [latent] count × [Z]
 * @property {Float32Array[][]} [prediction] count × steps × [Z]
 * @property {(Score | null)[]} [score]
 */
/** @typedef {{ output: Output[], steps: number[], every: number }} Selection */
/**
 * The server's first message: the configuration in force.
 * @typedef {Selection & { type: "ready", session: string, resume: string, model: string, encoding:
 *   string, sample_rate: number, channels: number, frame_rate: number, hop: number, lookahead:
 *   number, dims: { context: number, latent: number, steps: number }, format: string, dtype:
 *   string, limits: Record<string, number>, resumed?: true, samples?: number, segment?: number }}
 *   Ready
 */
/** @typedef {{ type: "warning", code: string, message: string, resume?: string }} Warning */
/** @typedef {{ id: unknown, samples: number, frames: number }} Marked */
/**
 * @typedef {{ type: "done", samples: number, frames: number, seconds: number, stats?:
 *   Record<string, number> }} Done
 */
/**
 * @typedef {{ state: "open" | "resuming" | "closed", attempt: number, retryInMs: number, error?:
 *   StreamError }} State
 */
/**
 * @typedef {{ ready: Ready, frames: Frames, warning: Warning, state: State, reset: { segment:
 *   number }, updated: Selection, done: Done }} Events
 */
/**
 * @typedef {object} Options
 * @property {string} [key] API key; sent as a subprotocol, because browsers cannot set headers
 * @property {string} [model]
 * @property {"s16le" | "f32le" | "mulaw" | "alaw"} [encoding] how audio is sent; default f32le
 * @property {number} [sampleRate] of the audio, 8000 to 96000 Hz; default 16000
 * @property {number} [channels] interleaved; default 1
 * @property {number} [channel] the one to use, from 0; default: their mean
 * @property {Output[]} [output] default context
 * @property {number[]} [steps] 1 to K; default all
 * @property {number} [every] frames f with f mod every = 0; default 1
 * @property {"json" | "binary"} [format] default binary
 * @property {"f32" | "f16"} [dtype] of binary frames; default f32
 * @property {boolean} [resume] take up a lost connection again; default true
 * @property {number} [resumeForMs] how long to try; default 60000
 * @property {boolean} [keepAlive] keep a stream open while no audio is sent; default true
 * @property {number} [windowSeconds] audio that may be sent ahead of the frames that it gives;
 *   default 8
 * @property {number} [timeoutMs] for an answer to connecting, and for a sign of life while one is
 *   owed; default 20000
 * @property {AbortSignal} [signal] closes the stream
 * @property {any} [WebSocket] constructor; default the global one (Node 20 has none: pass that of
 *   the package `ws`)
 */
/**
 * @typedef {{ audio: Uint8Array<ArrayBuffer>, start: number }} AudioItem start in bytes of the
 *   segment
 */
/**
 * @typedef {{ message: { type: string }, barrier: boolean, answered: boolean, resolve: (answer:
 *   any) => void, reject: (error: Error) => void }} ControlItem
 */

const SAMPLE_BYTES = { s16le: 2, f32le: 4, mulaw: 1, alaw: 1 };
/** @type {Output[]} */
const OUTPUTS = ["context", "latent", "prediction", "score"];
const CHUNK_BYTES = 32 * 1024;
/** `send()` waits while more than this is not on its way. */
const HIGH_WATER_BYTES = 256 * 1024;
const POLL_MS = 15;
const TICK_MS = 1000;
/** Frames that a reader may leave unread before audio is held back. */
const UNREAD_FRAMES = 2000;
const BACKOFF_MS = { first: 250, longest: 8000 };

/**
 * Why a stream ended or did not begin; `code` is the server's (see docs/protocol.md), or
 * connection_lost, timeout, aborted, unsupported.
 */
export class StreamError extends Error {
  /**
   * @param {string} code @param {string} message @param {{ closeCode?: number, retryable?: boolean,
   *   retryAfterMs?: number, param?: string, cause?: unknown }} [details]
   */
  constructor(code, message, { closeCode, retryable = false, retryAfterMs, param, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "StreamError";
    this.code = code;
    /** Of the WebSocket; undefined when there was none. */
    this.closeCode = closeCode;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
    this.param = param;
  }
}

/**
 * Opens a stream.
 *
 * @param {string | URL} url of the server, such as `http://127.0.0.1:8000`
 * @param {Options} [options]
 * @returns {Promise<CpcStream>} when the server is ready for audio
 * @throws {StreamError} when it refuses or cannot be reached
 */
export async function connect(url, options = {}) {
  const stream = new CpcStream(url, options);
  await stream.open();
  return stream;
}

/**
 * A key as a subprotocol: as it is where that can be, in base64url where not. @param {string} key
 */
function keyProtocol(key) {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(key)) return `bearer.${key}`;
  const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(key)));
  return `bearer64.${base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** One stream: audio in, frames out. Made by {@linkcode connect}. */
export class CpcStream {
  /** The server's latest `ready`. @type {Ready} */
  ready;
  /** What the frames carry now. @type {Selection} */
  selection;
  /**
   * Resolves when the stream has ended: with the reason when that was an error. @type
   * {Promise<StreamError | undefined>}
   */
  closed;
  #options;
  #query;
  #url;
  /** Bytes of one sample of all channels. */
  #sampleBytes;
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {"new" | "connecting" | "open" | "resuming" | "closed"} */
  #state = "new";
  #segment = 0;
  /** Frames of the segment that came. */
  #received = 0;
  /** Samples known to have been processed. */
  #confirmed = 0;
  /**
   * What was sent and may be needed again, then what waits to be sent. @type {(AudioItem |
   * ControlItem)[]}
   */
  #outbox = [];
  /** Index of the first that is not sent on this socket. */
  #next = 0;
  /** End of the segment's audio, in bytes: sent, and given to send. */
  #sentBytes = 0;
  #givenBytes = 0;
  /** @type {{ resolve: () => void, reject: (error: Error) => void }[]} */
  #senders = [];
  /** @type {Frames[]} */
  #unread = [];
  #unreadRows = 0;
  #reading = false;
  /** @type {(() => void) | undefined} */
  #wakeReader;
  /** @type {StreamError | undefined} */
  #error;
  /** The server's last words before a close. @type {StreamError | undefined} */
  #said;
  #done = false;
  #probing = false;
  #lastSentMs = 0;
  #lastHeardMs = 0;
  /** @type {{ [T in keyof Events]?: Set<(event: Events[T]) => void> }} */
  #listeners = {};
  /** @type {(error: StreamError | undefined) => void} */
  #resolveClosed = () => {};
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticker;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #poller;
  /** @type {(() => void) | undefined} */
  #stopWaiting;
  #drop = () => {};
  #onAbort = () =>
    this.#end(
      new StreamError("aborted", "the stream was aborted", { cause: this.#options.signal?.reason }),
    );

  /** @param {string | URL} url @param {Options} options */
  constructor(url, options) {
    const {
      encoding = "f32le",
      sampleRate,
      channels = 1,
      channel,
      model,
      output,
      steps,
      every,
      format = "binary",
      dtype,
    } = options;
    this.#options = options;
    this.#sampleBytes = SAMPLE_BYTES[encoding] * channels;
    this.#url = new URL(url);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    if (this.#url.pathname === "/") this.#url.pathname = "/v1/stream";
    const query = {
      model,
      encoding,
      sample_rate: sampleRate,
      channels,
      channel,
      output,
      steps,
      every,
      format,
      dtype,
    };
    this.#query = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]]
    );
    this.ready = /** @type {any} */ (undefined);
    this.selection = { output: output ?? ["context"], steps: steps ?? [], every: every ?? 1 };
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  /** Connects; {@linkcode connect} has called it. */
  async open() {
    if (this.#state !== "new") throw new TypeError("a stream is opened once");
    this.#state = "connecting";
    const { signal } = this.#options;
    try {
      if (signal?.aborted) this.#onAbort();
      else signal?.addEventListener("abort", this.#onAbort, { once: true });
      await this.#dial({});
    } catch (error) {
      this.#end(toStreamError(error));
      throw this.#error;
    }
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#began();
  }

  /**
   * Sends audio: floats and 16-bit integers are converted to the stream's encoding, bytes are taken
   * to be in it. Resolves when more is welcome: awaiting it keeps a fast sender at the server's
   * pace. What was given is sent in any case.
   *
   * @param {Float32Array | Int16Array | Uint8Array | ArrayBuffer} audio interleaved when there are
   *   channels
   */
  async send(audio) {
    this.#assertOpen();
    const bytes = encodeAudio(audio, this.#options.encoding ?? "f32le");
    const chunkBytes = Math.min(CHUNK_BYTES, this.ready.limits.message_bytes);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const part = bytes.subarray(at, at + chunkBytes);
      this.#outbox.push({ audio: part, start: this.#givenBytes });
      this.#givenBytes += part.length;
    }
    this.#pump();
    if (this.#mayGiveMore()) return;
    await /** @type {Promise<void>} */ (new Promise((resolve, reject) =>
      this.#senders.push({ resolve, reject })
    ));
  }

  /**
   * Asks for a sign when everything sent so far has been processed and its frames have come. @param
   * {unknown} [id] @returns {Promise<Marked>}
   */
  async mark(id = null) {
    const { samples, frames } = await this.#control({ type: "mark" });
    return { id, samples, frames };
  }

  /**
   * Begins a new segment: samples and frames count from 0 again. Audio that is given meanwhile
   * belongs to it. @returns {Promise<{ segment: number }>}
   */
  reset() {
    const answer = this.#control({ type: "reset" }, { barrier: true });
    this.#givenBytes = 0;
    return answer;
  }

  /**
   * Changes what frames carry, from the next frame on. @param {Partial<Selection>} change @returns
   * {Promise<Selection>}
   */
  update(change) {
    return this.#control({ type: "update", ...change }, { barrier: true });
  }

  /** Tells the server that the stream is still wanted. */
  keepAlive() {
    if (this.#state !== "open") return;
    this.#transmit(JSON.stringify({ type: "keep_alive" }));
  }

  /** Ends the audio: the last frames come, then the stream closes. @returns {Promise<Done>} */
  finish() {
    return this.#control({ type: "finish" }, { barrier: true });
  }

  /** Ends the stream at once; the server forgets it. */
  close() {
    this.#end(undefined);
  }

  /**
   * Listens to a kind of event. Frames that a listener is given do not come by iteration.
   *
   * @template {keyof Events} T
   * @param {T} type @param {(event: Events[T]) => void} listener
   * @returns {() => void} stops listening
   */
  on(type, listener) {
    /** @type {Set<(event: Events[T]) => void>} */
    const listeners = this.#listeners[type] ?? new Set();
    Object.assign(this.#listeners, { [type]: listeners });
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /**
   * Frames as they come, until `finish()` or `close()`; throws the error that ended the stream.
   * Unread frames are kept.
   */
  async *[Symbol.asyncIterator]() {
    this.#reading = true;
    try {
      for (;;) {
        const frames = this.#unread.shift();
        if (frames) {
          this.#unreadRows -= frames.count;
          yield frames;
          this.#pump();
        } else if (this.#state === "closed") {
          if (this.#error) throw this.#error;
          return;
        } else {await /** @type {Promise<void>} */ (new Promise((resolve) =>
            this.#wakeReader = resolve
          ));}
      }
    } finally {
      this.#reading = false;
    }
  }

  /**
   * Connects, anew or to the session of `resume`; resolves at `ready`. @param {{ resume?: string,
   * received?: number }} resume @returns {Promise<void>}
   */
  #dial({ resume, received = 0 }) {
    const { key, timeoutMs = 20_000, WebSocket: Socket = globalThis.WebSocket } = this.#options;
    if (this.#error) return Promise.reject(this.#error);
    if (!Socket) {
      throw new StreamError(
        "unsupported",
        "there is no global WebSocket here: pass one as option WebSocket",
      );
    }
    const url = new URL(this.#url);
    const query = resume === undefined
      ? this.#query
      : [["resume", resume], ["received", String(received)]];
    for (const [name, value] of query) url.searchParams.append(name, value);
    this.#said = undefined;
    return new Promise((resolve, reject) => {
      /** @type {WebSocket} */
      const socket = new Socket(url.href, key ? ["cpc.v1", keyProtocol(key)] : ["cpc.v1"]);
      this.#socket = socket;
      let isReady = false;
      const timer = setTimeout(() => {
        this.#said = new StreamError(
          "timeout",
          `no answer from ${this.#url.host} in ${timeoutMs} ms`,
          { retryable: true },
        );
        this.#drop();
      }, timeoutMs);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => {
        if (this.#isClosed()) return;
        this.#lastHeardMs = Date.now();
        const message = typeof data === "string" ? JSON.parse(data) : decodeBinary(data);
        if (message.type === "ready" && !isReady) {
          isReady = true;
          clearTimeout(timer);
          this.ready = message;
          resolve();
        }
        this.#take(message);
      };
      socket.onerror = () => {}; // close follows
      const gone = (/** @type {number} */ code, /** @type {string} */ reason) => {
        clearTimeout(timer);
        // Deno says 0 where there was no connection at all
        const lost = code === 0 || code === 1006;
        const why = lost
          ? (isReady
            ? "the connection to the server was lost"
            : `${this.#url.host} cannot be reached`)
          : `the server closed with ${code} ${reason}`;
        const error = this.#said ?? new StreamError("connection_lost", why, { retryable: true });
        error.closeCode ??= lost ? 1006 : code;
        if (!isReady) reject(this.#error ?? error);
        else this.#lost(error);
      };
      socket.onclose = ({ code, reason }) => gone(code, reason);
      this.#drop = () => { // gives the socket up without waiting for its close
        socket.onmessage = socket.onclose = null;
        socket.close();
        gone(1006, "");
      };
    });
  }

  /** A socket is ready: what it lacks is sent, then what is new. */
  #began() {
    this.#state = "open";
    this.#lastHeardMs = this.#lastSentMs = Date.now();
    this.#emit("ready", this.ready);
    this.#emit("state", { state: "open", attempt: 0, retryInMs: 0 });
    this.#pump();
  }

  /** @param {any} message */
  #take(message) {
    switch (message.type) {
      case "ready":
        if (message.resumed) return this.#rewind(message);
        this.selection = { output: message.output, steps: message.steps, every: message.every };
        return;
      case "binary":
      case "frames":
        return this.#takeFrames(message);
      case "marked":
        this.#received = Math.max(this.#received, message.frames);
        this.#confirm(message.samples);
        return this.#answer("mark", message);
      case "updated": {
        const { output, steps, every } = message;
        this.selection = { output, steps, every };
        this.#emit("updated", this.selection);
        return this.#answer("update", this.selection);
      }
      case "reset":
        return this.#newSegment(message.segment);
      case "done":
        this.#done = true;
        this.#emit("done", message);
        return this.#answer("finish", message);
      case "warning":
        return this.#emit("warning", message);
      case "error": {
        const { code, message: text, retryable, retry_after_ms: retryAfterMs, param } = message;
        this.#said = new StreamError(code, text, { retryable, retryAfterMs, param });
        return;
      }
    }
  }

  /** @param {any} message a `frames` message or a decoded binary frame */
  #takeFrames(message) {
    const { every, steps } = this.selection;
    const { first, count } = message;
    /** @type {Frames} */
    const frames = {
      segment: this.#segment,
      first,
      count,
      every,
      time: first / this.ready.frame_rate,
      steps,
    };
    if (message.type === "binary") readRows(message, frames, this.ready.dims);
    else {
      if (message.context) frames.context = message.context.map(toFloats);
      if (message.latent) frames.latent = message.latent.map(toFloats);
      if (message.prediction) {
        frames.prediction = message.prediction.map((/** @type {number[][]} */ row) =>
          row.map(toFloats)
        );
      }
      if (message.score) frames.score = message.score;
    }
    this.#received = Math.max(this.#received, first + (count - 1) * every + 1);
    this.#confirm(this.#received * this.ready.sample_rate / this.ready.frame_rate);
    if (this.#listeners.frames?.size) this.#emit("frames", frames);
    else {
      this.#unread.push(frames);
      this.#unreadRows += count;
      this.#wakeReader?.();
    }
  }

  /**
   * So many samples have been processed: what a resume cannot ask for again is let go. @param
   * {number} samples
   */
  #confirm(samples) {
    this.#confirmed = Math.max(this.#confirmed, samples);
    const samplesPerFrame = this.ready.sample_rate / this.ready.frame_rate;
    const neededFrom = Math.floor(Math.max(0, this.#received - 1) * samplesPerFrame) *
      this.#sampleBytes;
    let gone = 0;
    while (gone < this.#next) {
      const item = this.#outbox[gone];
      if ("audio" in item ? item.start + item.audio.length > neededFrom : !item.answered) break;
      gone++;
    }
    this.#outbox.splice(0, gone);
    this.#next -= gone;
    this.#pump();
  }

  /**
   * The server continues at its sample; what it asked for before is sent again. @param {Ready}
   * ready
   */
  #rewind({ samples = 0, segment = 0 }) {
    this.#probing = false;
    if (segment !== this.#segment) this.#newSegment(segment); // it had heard the reset
    const from = samples * this.#sampleBytes;
    /** @type {(AudioItem | ControlItem)[]} */
    const outbox = [];
    let later = false; // audio after a reset that is not answered counts from 0 again
    let reached = from === this.#givenBytes;
    for (const item of this.#outbox) {
      if ("message" in item) {
        if (!item.answered) outbox.push(item);
        later ||= isPendingReset(item);
      } else if (later) outbox.push(item);
      else if (item.start + item.audio.length > from) {
        const skip = Math.max(0, from - item.start);
        if (!reached && item.start > from) {
          return this.#end(
            new StreamError("connection_lost", `audio from sample ${samples} on is gone`),
          );
        }
        reached = true;
        outbox.push({ audio: item.audio.subarray(skip), start: item.start + skip });
      }
    }
    this.#outbox = outbox;
    this.#next = 0;
    this.#sentBytes = from;
    this.#confirmed = Math.min(this.#confirmed, samples);
  }

  /** @param {number} segment */
  #newSegment(segment) {
    this.#segment = segment;
    this.#received = this.#confirmed = this.#sentBytes = 0;
    const former = this.#outbox.splice(0, this.#outbox.findIndex(isPendingReset) + 1);
    this.#next = 0;
    for (const item of former) {
      if ("message" in item && !item.answered) item.resolve({ segment, samples: 0, frames: 0 });
    }
    this.#emit("reset", { segment });
    this.#pump();
  }

  /**
   * Queues a message; nothing is sent after a barrier until it is answered. @param {{ type: string
   * }} message @returns {Promise<any>}
   */
  #control(message, { barrier = false } = {}) {
    const answer = new Promise((resolve, reject) => {
      this.#assertOpen();
      this.#outbox.push({ message, barrier, answered: false, resolve, reject });
    });
    answer.catch(() => {}); // who does not await it hears of a failure elsewhere
    this.#pump();
    return answer;
  }

  /**
   * The oldest unanswered message of a type has its answer. @param {string} type @param {unknown}
   * answer
   */
  #answer(type, answer) {
    const item = this.#outbox.find((item) =>
      "message" in item && item.message.type === type && !item.answered
    );
    if (!item || !("message" in item)) return;
    item.answered = true;
    item.resolve(answer);
    this.#pump();
  }

  /** Sends what may be sent now. */
  #pump() {
    if (this.#state !== "open") return;
    const { windowSeconds = 8 } = this.#options;
    const windowBytes = windowSeconds * this.ready.sample_rate * this.#sampleBytes;
    while (this.#next < this.#outbox.length && this.#socketHasRoom()) {
      const previous = this.#outbox[this.#next - 1];
      if (previous && "message" in previous && previous.barrier && !previous.answered) break;
      const item = this.#outbox[this.#next];
      if ("audio" in item) {
        if (this.#reading && this.#unreadRows > UNREAD_FRAMES) break;
        const aheadBytes = this.#sentBytes - this.#confirmed * this.#sampleBytes;
        if (aheadBytes > windowBytes / 2 && !this.#probing) this.#probe();
        if (aheadBytes > windowBytes) break;
        this.#sentBytes = item.start + item.audio.length;
        this.#transmit(item.audio);
      } else this.#transmit(JSON.stringify(item.message));
      this.#next++;
    }
    if (this.#mayGiveMore()) { for (const { resolve } of this.#senders.splice(0)) resolve(); }
    else if (!this.#socketHasRoom()) this.#poller ??= setTimeout(() => this.#poll(), POLL_MS);
  }

  #poll() {
    this.#poller = undefined;
    this.#pump();
  }

  /** Asks how far the server is, where no frames tell. */
  #probe() {
    this.#probing = true;
    /** @type {ControlItem} */
    const item = {
      message: { type: "mark" },
      barrier: false,
      answered: false,
      resolve: () => this.#probing = false,
      reject: () => {},
    };
    this.#outbox.splice(this.#next++, 0, item);
    this.#transmit(JSON.stringify(item.message));
  }

  #socketHasRoom() {
    return (this.#socket?.bufferedAmount ?? 0) < HIGH_WATER_BYTES;
  }

  #mayGiveMore() {
    const unsent = this.#givenBytes - (this.#outbox.some(isPendingReset) ? 0 : this.#sentBytes);
    return this.#state === "open" && unsent < HIGH_WATER_BYTES && this.#socketHasRoom();
  }

  /** @param {string | Uint8Array<ArrayBuffer>} data */
  #transmit(data) {
    this.#lastSentMs = Date.now();
    this.#socket?.send(data);
  }

  /** What time brings: keep-alives, and a connection that is silent although an answer is owed. */
  #tick() {
    if (this.#state !== "open") return;
    const { keepAlive = true, timeoutMs = 20_000 } = this.#options;
    const now = Date.now();
    const owed = this.#probing ||
      this.#outbox.slice(0, this.#next).some((item) => "message" in item && !item.answered);
    if (owed && now - this.#lastHeardMs > timeoutMs) {
      this.#said = new StreamError("timeout", `the server said nothing for ${timeoutMs} ms`, {
        retryable: true,
      });
      return this.#drop();
    }
    if (keepAlive && now - this.#lastSentMs > this.ready.limits.idle_s * 1000 / 3) this.keepAlive();
  }

  /** The socket is gone: resume, or end. @param {StreamError} error */
  async #lost(error) {
    if (this.#state === "closed") return;
    if (this.#done) return this.#end(undefined);
    const { resume = true, resumeForMs = 60_000 } = this.#options;
    const goneForGood = new Set(["session_limit", "idle_timeout"]);
    if (!resume || !error.retryable || goneForGood.has(error.code)) return this.#end(error);
    this.#state = "resuming";
    const deadlineMs = Date.now() + resumeForMs;
    let received = this.#received;
    for (let attempt = 1;; attempt++) {
      const backoffMs = Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** (attempt - 1)) *
        (0.5 + Math.random() / 2);
      const retryInMs = Math.max(backoffMs, error.retryAfterMs ?? 0);
      this.#emit("state", { state: "resuming", attempt, retryInMs, error });
      if (Date.now() + retryInMs > deadlineMs) return this.#end(error);
      if (this.#isClosed()) return; // a listener closed it
      await this.#wait(retryInMs);
      if (this.#isClosed()) return;
      try {
        await this.#dial({ resume: this.ready.resume, received });
        if (!this.#isClosed()) this.#began();
        return;
      } catch (thrown) {
        if (this.#isClosed()) return;
        error = toStreamError(thrown);
        // After a reset whose answer was lost, the server's segment has fewer frames than the one
        // that we remember.
        if (error.param === "received" && received > 0 && this.#outbox.some(isPendingReset)) {
          received = 0;
        } else if (!error.retryable) return this.#end(error);
      }
    }
  }

  /** Read anew after every wait: the type checker would remember. */
  #isClosed() {
    return this.#state === "closed";
  }

  /** @param {number} ms */
  #wait(ms) {
    return /** @type {Promise<void>} */ (new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    }));
  }

  /** @param {StreamError | undefined} error */
  #end(error) {
    if (this.#isClosed()) return;
    this.#state = "closed";
    this.#error = error;
    clearInterval(this.#ticker);
    clearTimeout(this.#poller);
    this.#stopWaiting?.();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    if (this.#socket && this.#socket.readyState < 2) this.#socket.close(1000);
    const why = error ?? new StreamError("closed", "the stream is closed");
    for (const item of this.#outbox) if ("message" in item && !item.answered) item.reject(why);
    for (const { reject } of this.#senders.splice(0)) reject(why);
    this.#outbox = [];
    this.#next = 0;
    this.#wakeReader?.();
    this.#emit("state", { state: "closed", attempt: 0, retryInMs: 0, error });
    this.#resolveClosed(error);
  }

  #assertOpen() {
    if (this.#state === "open" || this.#state === "resuming") return;
    throw this.#error ?? new StreamError("closed", "the stream is closed");
  }

  /** @template {keyof Events} T @param {T} type @param {Events[T]} event */
  #emit(type, event) {
    /** @type {Set<(event: Events[T]) => void> | undefined} */
    const listeners = this.#listeners[type];
    for (const listener of listeners ?? []) listener(event);
  }
}

/** @param {AudioItem | ControlItem} item */
function isPendingReset(item) {
  return "message" in item && item.message.type === "reset" && !item.answered;
}

/** @param {unknown} thrown @returns {StreamError} */
function toStreamError(thrown) {
  return thrown instanceof StreamError
    ? thrown
    : new StreamError("connection_lost", String(thrown), { cause: thrown });
}

/** @param {ArrayLike<number>} row */
function toFloats(row) {
  return Float32Array.from(row);
}

/**
 * Audio as bytes of an encoding; always a copy.
 *
 * @param {Float32Array | Int16Array | Uint8Array | ArrayBuffer} audio @param {keyof typeof
 *   SAMPLE_BYTES} encoding
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeAudio(audio, encoding) {
  if (audio instanceof ArrayBuffer) return new Uint8Array(audio.slice(0));
  if (audio instanceof Uint8Array) return Uint8Array.from(audio);
  const isFloat = audio instanceof Float32Array;
  if (!isFloat && !(audio instanceof Int16Array)) {
    throw new TypeError("audio is a Float32Array, an Int16Array or bytes");
  }
  if (encoding === "f32le") {
    return new Uint8Array(Float32Array.from(audio, isFloat ? undefined : (x) => x / 32768).buffer);
  }
  if (encoding !== "s16le") {
    throw new TypeError(
      `samples cannot be converted to ${encoding}: send its bytes, or use f32le or s16le`,
    );
  }
  const clip = (/** @type {number} */ x) =>
    Math.max(-32768, Math.min(32767, Math.round(x * 32768)));
  return new Uint8Array(Int16Array.from(audio, isFloat ? clip : undefined).buffer);
}

/**
 * Reads the header of a binary frame: "CPC1" · u32 first · u32 count · u8 output bits · u8 dtype ·
 * u16 number of steps · rows, little endian.
 *
 * @param {ArrayBuffer} buffer
 */
export function decodeBinary(buffer) {
  const view = new DataView(buffer);
  if (view.getUint32(0, true) !== 0x31435043) {
    throw new StreamError("connection_lost", "a binary message is not a CPC1 frame");
  }
  const bits = view.getUint8(12);
  return {
    type: "binary",
    first: view.getUint32(4, true),
    count: view.getUint32(8, true),
    output: OUTPUTS.filter((_, i) => bits & 1 << i),
    steps: view.getUint16(14, true),
    rows: view.getUint8(13) === 0
      ? new Float32Array(buffer, 16)
      : Float32Array.from(new Uint16Array(buffer, 16), halfToFloat),
  };
}

/**
 * Cuts the rows of a binary frame.
 *
 * @param {ReturnType<typeof decodeBinary>} binary @param {Frames} frames what they become part of
 * @param {{ context: number, latent: number }} dims
 */
function readRows({ count, output, steps: K, rows }, frames, { context: C, latent: Z }) {
  let at = 0;
  const take = (/** @type {number} */ length) => rows.subarray(at, at += length);
  const list = (/** @type {number} */ length, /** @type {(_: unknown, i: number) => any} */ make) =>
    Array.from({ length }, make);
  if (output.includes("context")) frames.context = list(count, () => take(C)); // [count, C]
  if (output.includes("latent")) frames.latent = list(count, () => take(Z)); // [count, Z]
  // [count, K, Z]
  if (output.includes("prediction")) frames.prediction = list(count, () => list(K, () => take(Z)));
  if (output.includes("score")) {
    frames.score = list(count, () => {
      const [surprise, ...rest] = take(1 + 2 * K);
      return Number.isNaN(surprise)
        ? null
        : { surprise, nce: rest.slice(0, K), correct: rest.slice(K) };
    });
  }
}

/** IEEE 754 half precision. @param {number} half */
function halfToFloat(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
