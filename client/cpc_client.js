// Made of client/mod.ts by deno task build:web.
// client/stream_error.ts
var StreamError = class extends Error {
  name = "StreamError";
  code;
  /** Close code of the WebSocket; undefined if there was none. */
  closeCode;
  /** Whether a retry may succeed. */
  retryable;
  /** How long the server asks to wait before a retry. */
  retryAfterMs;
  /** The option at fault. */
  param;
  /** By which the server's log knows the connection. */
  request;
  constructor(code, message, details = {}) {
    super(message, details.cause === void 0 ? void 0 : {
      cause: details.cause
    });
    this.code = code;
    this.closeCode = details.closeCode;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.param = details.param;
    this.request = details.request;
  }
};
function toStreamError(thrown) {
  return thrown instanceof StreamError ? thrown : new StreamError("connection_lost", String(thrown), {
    cause: thrown
  });
}

// client/engine.ts
var KEPT_MS = 6e4;
var engines = /* @__PURE__ */ new Map();
var Engine = class _Engine {
  #worker;
  #name;
  #sockets = /* @__PURE__ */ new Set();
  #leaving;
  constructor(worker, name) {
    this.#worker = worker;
    this.#name = name;
    worker.onerror = (event) => this.#end(event.message);
    this.#leaveSoon();
  }
  /**
   * The engine of a model: a loaded one, or a new one.
   *
   * @throws {StreamError} `unsupported` where there are no workers, or none from there; the
   *   engine's code
   */
  static load({ model, files, device = "wasm", key }) {
    const name = JSON.stringify([
      model,
      files,
      device,
      key
    ]);
    const known = engines.get(name);
    if (known) return known;
    const loading = start(scriptOf(device, files), {
      type: "load",
      model,
      key,
      device
    }).then((worker) => new _Engine(worker, name));
    engines.set(name, loading);
    loading.catch(() => engines.delete(name));
    return loading;
  }
  /** Opens the stream of a socket; returns their port. */
  open(socket, { query, state }) {
    clearTimeout(this.#leaving);
    this.#sockets.add(socket);
    const { port1, port2 } = new MessageChannel();
    const message = {
      type: "open",
      query,
      state
    };
    this.#worker.postMessage(message, [
      port2
    ]);
    return port1;
  }
  /** A stream has ended. */
  left(socket) {
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) this.#leaveSoon();
  }
  #leaveSoon() {
    clearTimeout(this.#leaving);
    this.#leaving = setTimeout(() => this.#end("it was not used"), KEPT_MS);
  }
  #end(why) {
    clearTimeout(this.#leaving);
    engines.delete(this.#name);
    this.#worker.terminate();
    for (const socket of [
      ...this.#sockets
    ]) socket.fail(`the engine has stopped: ${why}`);
  }
};
function scriptOf(device, files) {
  if (files.origin !== location.origin) {
    throw new StreamError("unsupported", `a page may start workers from its own origin alone, not from ${files.origin}: serve the engine's files there, and name their folder in the option engine (docs/browser.md)`);
  }
  return new URL(`engine_${device}.js`, files);
}
function start(script, load) {
  const worker = new Worker(script, {
    type: "module",
    name: "cpc-stream"
  });
  return new Promise((resolve, reject) => {
    const fail = (code, why) => {
      worker.terminate();
      reject(new StreamError(code, why));
    };
    worker.onmessage = ({ data }) => {
      if (data.type === "failed") fail(data.code, data.message);
      else resolve(worker);
    };
    worker.onerror = ({ message }) => fail("unsupported", `${script} cannot run${message ? `: ${message}` : ""}`);
    worker.postMessage(load);
  });
}
var LocalSocket = class {
  binaryType = "arraybuffer";
  /** Nothing waits here: what is ahead of its frames is bounded by the stream's window. */
  bufferedAmount = 0;
  #port;
  #engine;
  #listeners = {
    message: [],
    close: [],
    error: []
  };
  #saving;
  #readyState = 1;
  /** @param options `query`: as on a server; `state`: to continue; `opened`: told of this socket */
  constructor(engine, { query, state, opened }) {
    this.#engine = engine;
    const port = this.#port = engine.open(this, {
      query,
      state
    });
    opened(this);
    port.onmessage = ({ data }) => this.#take(data);
  }
  get readyState() {
    return this.#readyState;
  }
  addEventListener(type, listener) {
    this.#listeners[type].push(listener);
  }
  send(data) {
    this.#post(data);
  }
  /** The stream's state after everything sent; undefined if it ends before. */
  save() {
    if (this.#readyState > 1) return Promise.resolve(void 0);
    this.#saving ??= Promise.withResolvers();
    this.#post({
      type: "save"
    });
    return this.#saving.promise;
  }
  close() {
    this.#post({
      type: "close"
    });
    this.#end(1e3, "");
  }
  /** The engine is gone. */
  fail(message) {
    const code = "model_failed";
    this.#emit("message", {
      data: JSON.stringify({
        type: "error",
        code,
        message,
        fatal: true,
        retryable: true
      })
    });
    this.#end(4500, code);
  }
  #take(message) {
    if (typeof message === "string" || message instanceof ArrayBuffer) {
      this.#emit("message", {
        data: message
      });
    } else if (message.type === "saved") {
      this.#saving?.resolve(message.state);
      this.#saving = void 0;
    } else this.#end(message.code, message.reason);
  }
  #post(message) {
    this.#port.postMessage(message);
  }
  #end(code, reason) {
    if (this.#readyState > 1) return;
    this.#readyState = 3;
    this.#saving?.resolve(void 0);
    this.#port.close();
    this.#engine.left(this);
    this.#emit("close", {
      code,
      reason
    });
  }
  #emit(type, { data, code = 0, reason = "" }) {
    for (const listener of this.#listeners[type]) listener({
      data,
      code,
      reason
    });
  }
};

// client/audio.ts
var SAMPLE_BYTES = {
  s16le: 2,
  f32le: 4,
  mulaw: 1,
  alaw: 1
};
function isOpus(encoding) {
  return encoding === "opus" || encoding === "ogg-opus" || encoding === "webm-opus";
}
function encodeAudio(audio, encoding) {
  if (audio instanceof ArrayBuffer) return new Uint8Array(audio.slice(0));
  if (audio instanceof Uint8Array) return Uint8Array.from(audio);
  const isFloat = audio instanceof Float32Array;
  if (!isFloat && !(audio instanceof Int16Array)) {
    throw new TypeError("audio must be a Float32Array, an Int16Array or bytes");
  }
  if (encoding === "f32le") {
    return new Uint8Array(Float32Array.from(audio, isFloat ? asItIs : wordToFloat).buffer);
  }
  if (encoding !== "s16le") {
    throw new TypeError(`samples cannot be converted to ${encoding}: send bytes, or use f32le or s16le`);
  }
  return new Uint8Array(Int16Array.from(audio, isFloat ? floatToWord : asItIs).buffer);
}
function asItIs(sample) {
  return sample;
}
function wordToFloat(word) {
  return word / 32768;
}
function floatToWord(sample) {
  return Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
}

// client/events.ts
var Listeners = class {
  #of = {
    ready: /* @__PURE__ */ new Set(),
    frames: /* @__PURE__ */ new Set(),
    head: /* @__PURE__ */ new Set(),
    event: /* @__PURE__ */ new Set(),
    warning: /* @__PURE__ */ new Set(),
    state: /* @__PURE__ */ new Set(),
    reset: /* @__PURE__ */ new Set(),
    updated: /* @__PURE__ */ new Set(),
    done: /* @__PURE__ */ new Set()
  };
  /** Adds a listener; returns a function that removes it. */
  add(type, listener) {
    this.#of[type].add(listener);
    return () => {
      this.#of[type].delete(listener);
    };
  }
  has(type) {
    return this.#of[type].size > 0;
  }
  emit(type, event) {
    for (const listener of this.#of[type]) listener(event);
  }
};

// client/heartbeat.ts
var TICK_MS = 1e3;
var KEEP_ALIVE = JSON.stringify({
  type: "keep_alive"
});
var Heartbeat = class {
  #of;
  #ticker;
  /** When it first saw that an answer is owed; Infinity while none is. */
  #owedSinceMs = Infinity;
  constructor(beating) {
    this.#of = beating;
  }
  start() {
    this.#ticker = setInterval(() => this.look(Date.now()), TICK_MS);
  }
  stop() {
    clearInterval(this.#ticker);
  }
  /** Looks at the connection, and does what is due. */
  look(nowMs) {
    const { connection, isAnswerOwed, idleMs, keepAlive, timeoutMs } = this.#of;
    const open = connection();
    if (!open) return;
    this.#owedSinceMs = isAnswerOwed() ? Math.min(this.#owedSinceMs, nowMs) : Infinity;
    if (nowMs - Math.max(open.lastHeardMs, this.#owedSinceMs) > timeoutMs) {
      const why = `the server sent nothing for ${timeoutMs} ms`;
      return open.drop(new StreamError("timeout", why, {
        retryable: true
      }));
    }
    if (keepAlive && nowMs - open.lastSentMs > idleMs() / 3) open.send(KEEP_ALIVE);
  }
};

// client/options.ts
var DEFAULTS = {
  encoding: "f32le",
  channels: 1,
  format: "binary",
  resume: true,
  resumeForMs: 6e4,
  keepAlive: true,
  windowSeconds: 8,
  timeoutMs: 2e4
};
function withDefaults(options) {
  const given = Object.entries(options).filter(([, value]) => value !== void 0);
  return {
    ...DEFAULTS,
    ...Object.fromEntries(given)
  };
}
function streamUrl(server) {
  const url = new URL(server);
  url.protocol = url.protocol.replace("http", "ws");
  if (url.pathname === "/") url.pathname = "/v1/stream";
  return url;
}
function streamQuery(options) {
  const { model, encoding, sampleRate, channels, channel, split } = options;
  const { output, steps, every, format, dtype } = options;
  const query = {
    model,
    encoding,
    sample_rate: sampleRate,
    channels,
    channel,
    split: split ? 1 : void 0,
    output,
    steps,
    every,
    format,
    dtype
  };
  return Object.entries(query).flatMap(([name, value]) => value === void 0 ? [] : [
    [
      name,
      String(value)
    ]
  ]);
}
function subprotocols(key) {
  return key ? [
    "cpc.v1",
    keyProtocol(key)
  ] : [
    "cpc.v1"
  ];
}
function keyProtocol(key) {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(key)) return `bearer.${key}`;
  const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(key)));
  return `bearer64.${base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

// client/outbox.ts
var Outbox = class {
  #items = [];
  /** Index of the first item not yet sent on this connection. */
  #next = 0;
  /** End of the segment's audio, in bytes: as sent, and as given. */
  #sentBytes = 0;
  #givenBytes = 0;
  get sentBytes() {
    return this.#sentBytes;
  }
  /** Bytes of audio that wait to be sent. */
  get unsentBytes() {
    return this.#givenBytes - (this.isResetPending ? 0 : this.#sentBytes);
  }
  /** Whether a reset waits for the server's confirmation. */
  get isResetPending() {
    return this.#items.some(isPendingReset);
  }
  /** Whether the server owes an answer. */
  get isAnswerOwed() {
    return this.#items.slice(0, this.#next).some((item) => "message" in item && !item.isAnswered);
  }
  /** Audio begins at a byte of the segment: the stream continues a former one. */
  startAt(byte) {
    this.#sentBytes = this.#givenBytes = byte;
  }
  addAudio(audio) {
    this.#items.push({
      audio,
      startByte: this.#givenBytes
    });
    this.#givenBytes += audio.length;
  }
  /** Adds a request; audio after a reset counts from 0. */
  ask(message, { isBarrier = false, isSent = false, read }) {
    const answer = new Promise((resolve, reject) => {
      const offer = (message2) => {
        const answer2 = read(message2);
        if (answer2 !== void 0) resolve(answer2);
        return answer2 !== void 0;
      };
      const request = {
        message,
        isBarrier,
        isAnswered: false,
        offer,
        reject
      };
      if (isSent) this.#items.splice(this.#next++, 0, request);
      else this.#items.push(request);
    });
    if (message.type === "reset") this.#givenBytes = 0;
    answer.catch(() => {
    });
    return answer;
  }
  /** The next item to send; undefined after an unanswered barrier. */
  get next() {
    const previous = this.#items[this.#next - 1];
    if (previous && "message" in previous && previous.isBarrier && !previous.isAnswered) {
      return void 0;
    }
    return this.#items[this.#next];
  }
  /** Marks the next item as sent. */
  advance() {
    const item = this.#items[this.#next++];
    if (item && "audio" in item) this.#sentBytes = item.startByte + item.audio.length;
  }
  /** Drops what was sent before a byte, since no resume will ask for it. */
  release(neededFromByte) {
    let gone = 0;
    for (const item of this.#items.slice(0, this.#next)) {
      const isNeeded = "audio" in item ? item.startByte + item.audio.length > neededFromByte : !item.isAnswered;
      if (isNeeded) break;
      gone++;
    }
    this.#items.splice(0, gone);
    this.#next -= gone;
  }
  /** Hands a message to the oldest request that it answers. */
  answer(message) {
    for (const item of this.#items) {
      if ("audio" in item || item.isAnswered) continue;
      item.isAnswered = item.offer(message);
      if (item.isAnswered) return;
    }
  }
  /**
   * Rewinds to where a resumed connection continues: drops earlier audio, and sends unanswered
   * requests again.
   *
   * @returns whether the audio from there on is still here
   */
  rewind(fromByte) {
    const kept = [];
    let isLater = false;
    let isReached = fromByte === this.#givenBytes;
    for (const item of this.#items) {
      if ("message" in item) {
        if (!item.isAnswered) kept.push(item);
        isLater ||= isPendingReset(item);
      } else if (isLater) kept.push(item);
      else if (item.startByte + item.audio.length > fromByte) {
        const skip = Math.max(0, fromByte - item.startByte);
        if (!isReached && item.startByte > fromByte) return false;
        isReached = true;
        kept.push({
          audio: item.audio.subarray(skip),
          startByte: item.startByte + skip
        });
      }
    }
    this.#items = kept;
    this.#next = 0;
    this.#sentBytes = fromByte;
    return true;
  }
  /** The server has begun a segment, so everything before the reset is done and answered. */
  beginSegment(segment) {
    this.#sentBytes = 0;
    const former = this.#items.splice(0, this.#items.findIndex(isPendingReset) + 1);
    this.#next = 0;
    const [mark, reset] = [
      {
        type: "marked",
        id: null,
        samples: 0,
        frames: 0
      },
      {
        type: "reset",
        segment
      }
    ];
    for (const item of former) {
      if ("message" in item && !item.isAnswered) item.offer(mark) || item.offer(reset);
    }
  }
  /** Drops everything, and rejects waiting requests with the reason. */
  clear(why) {
    for (const item of this.#items) {
      if ("message" in item && !item.isAnswered) item.reject(why);
    }
    this.#items = [];
    this.#next = 0;
  }
};
function isPendingReset(item) {
  return "message" in item && item.message.type === "reset" && !item.isAnswered;
}

// client/binary_frame.ts
var OUTPUTS = [
  "context",
  "latent",
  "prediction",
  "score"
];
var MAGIC = {
  one: 826495043,
  split: 843272259
};
var HEADER_BYTES = {
  one: 16,
  split: 20
};
function decodeBinary(buffer) {
  const view = new DataView(buffer);
  const magic = buffer.byteLength < HEADER_BYTES.one ? 0 : view.getUint32(0, true);
  const layout = magic === MAGIC.split ? "split" : "one";
  const header = HEADER_BYTES[layout];
  if (magic !== MAGIC[layout] || buffer.byteLength < header) {
    throw new StreamError("connection_lost", "a binary message is not a CPC1 or CPC2 frame");
  }
  const bits = view.getUint8(12);
  return {
    type: "binary",
    ...layout === "split" && {
      channel: view.getUint16(16, true)
    },
    first: view.getUint32(4, true),
    count: view.getUint32(8, true),
    output: OUTPUTS.filter((_, i) => bits & 1 << i),
    steps: view.getUint16(14, true),
    rows: view.getUint8(13) === 0 ? new Float32Array(buffer, header) : Float32Array.from(new Uint16Array(buffer, header), halfToFloat)
  };
}
function readRows({ count, output, steps: K, rows }, { context: C, latent: Z }) {
  let at = 0;
  const take = (length) => rows.subarray(at, at += length);
  const list = (length, make) => Array.from({
    length
  }, make);
  const read = {};
  if (output.includes("context")) read.context = list(count, () => take(C));
  if (output.includes("latent")) read.latent = list(count, () => take(Z));
  if (output.includes("prediction")) read.prediction = list(count, () => list(K, () => take(Z)));
  if (output.includes("score")) {
    read.score = list(count, () => {
      const [surprise = NaN, ...rest] = take(1 + 2 * K);
      return Number.isNaN(surprise) ? null : {
        surprise,
        nce: rest.slice(0, K),
        correct: rest.slice(K)
      };
    });
  }
  return read;
}
function halfToFloat(half) {
  const sign = half & 32768 ? -1 : 1;
  const exponent = half >> 10 & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// client/frames.ts
function framesOf(message, { ready, segment, selection: { every, steps } }) {
  const { channel, first, count } = message;
  const rows = message.type === "binary" ? readRows(message, ready.dims) : jsonRows(message);
  return {
    segment,
    ...channel !== void 0 && {
      channel
    },
    first,
    count,
    every,
    time: first / ready.frame_rate,
    steps,
    ...rows
  };
}
function jsonRows({ context, latent, prediction, score }) {
  const toFloats = (row) => Float32Array.from(row);
  return {
    ...context && {
      context: context.map(toFloats)
    },
    ...latent && {
      latent: latent.map(toFloats)
    },
    ...prediction && {
      prediction: prediction.map((row) => row.map(toFloats))
    },
    ...score && {
      score
    }
  };
}

// client/receiver.ts
var Receiver = class {
  /** Number of frames received in the segment. */
  received = 0;
  /** Bytes of the segment known to have been processed. */
  confirmedBytes = 0;
  /** Whether the server has sent `done`. */
  isDone = false;
  selection;
  #of;
  #ready;
  #segment = 0;
  /** Frames whose other channels have yet to come: a lost connection loses all of them. */
  #waiting = [];
  /** Rows received of each head and channel, and the frames that they heard. */
  #rows = /* @__PURE__ */ new Map();
  #framesOf = /* @__PURE__ */ new Map();
  /** The last of each event. */
  #events = /* @__PURE__ */ new Map();
  constructor(receiving) {
    this.#of = receiving;
    this.selection = receiving.selection;
  }
  /** The server's latest `ready`. @throws {TypeError} before there is one */
  get ready() {
    if (!this.#ready) throw new TypeError("the stream is not open yet: connect() opens it");
    return this.#ready;
  }
  /** Whether nothing has been received: the stream could as well begin anew. */
  get isAtBeginning() {
    return this.received === 0 && this.#segment === 0;
  }
  /** Acts on the next message. */
  take(message) {
    switch (message.type) {
      case "ready": {
        const isFirst = this.#ready === void 0;
        this.#ready = message;
        if (!isFirst) return this.#rewind(message);
        this.selection = selectionOf(message);
        if (message.resumed) this.#continue(message);
        return;
      }
      case "binary":
      case "frames":
        return this.#takeFrames(message);
      case "head":
        return this.#takeRows(message);
      case "event":
        return this.#takeEvent(message);
      case "marked":
        this.received = Math.max(this.received, message.frames);
        this.#confirm(message.samples);
        if (message.bytes !== void 0) this.#confirmBytes(message.bytes);
        break;
      case "updated":
        this.selection = selectionOf(message);
        this.#framesOf.clear();
        this.#of.listeners.emit("updated", this.selection);
        break;
      case "reset":
        return this.#beginSegment(message.segment);
      case "done":
        this.isDone = true;
        this.#of.listeners.emit("done", message);
        break;
      case "warning":
        return this.#of.listeners.emit("warning", message);
    }
    this.#of.outbox.answer(message);
    this.#of.sender().pump();
  }
  #takeFrames(message) {
    const { ready, selection } = this;
    const frames = framesOf(message, {
      ready,
      segment: this.#segment,
      selection
    });
    this.#waiting.push(frames);
    if (frames.channel !== void 0 && frames.channel < ready.channels - 1) return;
    const last = frames.first + (frames.count - 1) * frames.every;
    this.received = Math.max(this.received, last + 1);
    this.#confirm(this.received * ready.sample_rate / ready.frame_rate);
    for (const one of this.#waiting.splice(0)) {
      if (this.#of.listeners.has("frames")) this.#of.listeners.emit("frames", one);
      else this.#of.unread.push(one);
    }
  }
  /** Passes on the rows that are new: after a resume, the last ones may come again. */
  #takeRows(message) {
    const { ready, selection: { output } } = this;
    const { first, count, time, rows } = message;
    const every = Math.round(time * ready.frame_rate / (first + 1));
    const head = `${message.name} ${message.channel ?? ""}`;
    const known = Math.max(0, Math.min(count, (this.#rows.get(head) ?? 0) - first));
    this.#rows.set(head, Math.max(first + count, this.#rows.get(head) ?? 0));
    this.#framesOf.set(head, (first + count) * every);
    if (output.every((name) => name.startsWith("head."))) {
      const all = output.every((name) => this.#heardOf(name.slice("head.".length)));
      if (all) this.received = Math.max(this.received, Math.min(...this.#framesOf.values()));
      this.#confirm(this.received * ready.sample_rate / ready.frame_rate);
    }
    if (known === count) return;
    this.#of.listeners.emit("head", {
      ...message,
      first: first + known,
      count: count - known,
      time: time + known * every / ready.frame_rate,
      rows: rows.slice(known)
    });
  }
  /** Passes on an event, unless it came before the resume. */
  #takeEvent(message) {
    const key = `${message.head} ${message.event} ${message.channel ?? ""}`;
    const last = this.#events.get(key);
    const { time, state } = message;
    if (last && (time < last.time || time === last.time && state === last.state)) return;
    this.#events.set(key, message);
    this.#of.listeners.emit("event", message);
  }
  /**
   * Whether a head has given rows in this segment: of every channel, if it hears each by itself.
   */
  #heardOf(head) {
    const { channels, split } = this.ready;
    const has = (channel) => this.#framesOf.has(`${head} ${channel}`);
    return has("") || split === 1 && Array.from({
      length: channels
    }, (_, c) => c).every(has);
  }
  /** Notes the number of processed samples, and drops audio that no resume can ask for. */
  #confirm(samples) {
    const { sampleBytes } = this.#of;
    if (sampleBytes === void 0) return this.#of.sender().pump();
    this.confirmedBytes = Math.max(this.confirmedBytes, samples * sampleBytes);
    const samplesPerFrame = this.ready.sample_rate / this.ready.frame_rate;
    const neededFrom = Math.floor(Math.max(0, this.received - 1) * samplesPerFrame);
    this.#of.outbox.release(neededFrom * sampleBytes);
    this.#of.sender().pump();
  }
  /** Everything up to a byte was processed, and its frames have come. */
  #confirmBytes(bytes) {
    this.confirmedBytes = Math.max(this.confirmedBytes, bytes);
    this.#of.outbox.release(bytes);
  }
  /** The stream continues a former one. */
  #continue({ samples = 0, segment = 0 }) {
    this.#segment = segment;
    this.confirmedBytes = samples * (this.#of.sampleBytes ?? 0);
    this.#of.outbox.startAt(this.confirmedBytes);
  }
  /** The server continues at a sample: sends the audio from there again. */
  #rewind({ samples = 0, segment = 0, bytes }) {
    this.#waiting = [];
    this.#of.sender().beginAgain();
    if (segment !== this.#segment) this.#beginSegment(segment);
    const from = bytes ?? samples * (this.#of.sampleBytes ?? 0);
    this.confirmedBytes = Math.min(this.confirmedBytes, from);
    if (this.#of.outbox.rewind(from)) return;
    this.#of.fails(new StreamError("connection_lost", `audio from sample ${samples} on is gone`));
  }
  #beginSegment(segment) {
    this.#segment = segment;
    this.received = this.confirmedBytes = 0;
    this.#rows.clear();
    this.#framesOf.clear();
    this.#events.clear();
    this.#of.outbox.beginSegment(segment);
    this.#of.listeners.emit("reset", {
      segment
    });
    this.#of.sender().pump();
  }
};
function fulfils({ output, steps, every }, change) {
  const same = (wanted = [], found) => (/* @__PURE__ */ new Set([
    ...wanted,
    ...found
  ])).size === new Set(wanted).size && new Set(wanted).size === new Set(found).size;
  return (change.output === void 0 || same(change.output, output)) && (change.steps === void 0 || same(change.steps, steps)) && (change.every === void 0 || change.every === every);
}
function selectionOf({ output, steps, every }) {
  return {
    output,
    steps,
    every
  };
}

// client/resume.ts
var BACKOFF_MS = {
  first: 250,
  longest: 8e3
};
var GONE_FOR_GOOD = /* @__PURE__ */ new Set([
  "session_limit",
  "idle_timeout"
]);
function canResume(error) {
  return error.retryable && !GONE_FOR_GOOD.has(error.code);
}
async function resume(error, { forMs, received, dial, isResetPending, tells, signal }) {
  const deadlineMs = Date.now() + forMs;
  let asked = received;
  for (let attempt = 1; ; attempt++) {
    const backoffMs = Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
    const retryInMs = Math.max(backoffMs, error.retryAfterMs ?? 0);
    tells({
      state: "resuming",
      attempt,
      retryInMs,
      error
    });
    if (Date.now() + retryInMs > deadlineMs) throw error;
    await wait(retryInMs, signal);
    if (signal.aborted) return;
    try {
      return await dial(asked);
    } catch (thrown) {
      if (signal.aborted) return;
      error = toStreamError(thrown);
      if (error.param === "received" && asked > 0 && isResetPending()) asked = 0;
      else if (!error.retryable) throw error;
    }
  }
}
function wait(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

// client/sender.ts
var HIGH_WATER_BYTES = 256 * 1024;
var POLL_MS = 15;
var UNREAD_FRAMES = 2e3;
var Sender = class {
  #of;
  #waiting = [];
  #poller;
  #isProbing = false;
  constructor(sending) {
    this.#of = sending;
  }
  /** Whether the server was asked for its position. */
  get isProbing() {
    return this.#isProbing;
  }
  /** Resolves when more audio is welcome. */
  async untilWelcome() {
    this.pump();
    if (this.#isMoreWelcome()) return;
    await new Promise((resolve, reject) => this.#waiting.push({
      resolve,
      reject
    }));
  }
  /** Sends everything that may be sent now. */
  pump() {
    const { outbox, connection, windowBytes, confirmedBytes, unreadFrames } = this.#of;
    const open = connection();
    if (!open) return;
    for (let item = outbox.next; item && hasRoom(open); item = outbox.next) {
      if ("audio" in item) {
        if (unreadFrames() > UNREAD_FRAMES) break;
        const aheadBytes = outbox.sentBytes - confirmedBytes();
        if (aheadBytes > windowBytes() / 2 && !this.#isProbing) this.#probe(open);
        if (aheadBytes > windowBytes()) break;
        outbox.advance();
        open.send(item.audio);
      } else {
        outbox.advance();
        open.send(JSON.stringify(item.message));
      }
    }
    if (this.#isMoreWelcome()) {
      for (const { resolve } of this.#waiting.splice(0)) resolve();
    } else if (!hasRoom(open)) this.#poller ??= setTimeout(() => this.#poll(), POLL_MS);
  }
  /** After a resume, the server may be asked again. */
  beginAgain() {
    this.#isProbing = false;
  }
  /** Ends sending. */
  end(why) {
    clearTimeout(this.#poller);
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }
  #poll() {
    this.#poller = void 0;
    this.pump();
  }
  /** Asks for the server's position when no frames show it. */
  #probe(connection) {
    this.#isProbing = true;
    const message = {
      type: "mark"
    };
    void this.#of.outbox.ask(message, {
      isSent: true,
      read: ({ type }) => {
        if (type !== "marked") return void 0;
        this.#isProbing = false;
        return true;
      }
    });
    connection.send(JSON.stringify(message));
  }
  #isMoreWelcome() {
    const connection = this.#of.connection();
    return connection !== void 0 && this.#of.outbox.unsentBytes < HIGH_WATER_BYTES && hasRoom(connection);
  }
};
function hasRoom(connection) {
  return connection.bufferedBytes < HIGH_WATER_BYTES;
}

// client/socket.ts
var Connection = class {
  /** Resolves after `ready`; rejects with a {@linkcode StreamError}. */
  opened;
  lastSentMs = Date.now();
  lastHeardMs = Date.now();
  #socket;
  #host;
  #isLost;
  #timer;
  #rejectOpened = () => {
  };
  #isReady = false;
  #isClosing = false;
  #isGone = false;
  /** The reason for the close, the server's or ours. */
  #said;
  /** Dials. @throws {StreamError} `unsupported` if there is no WebSocket */
  constructor({ url, protocols, WebSocket, timeoutMs, hears, isLost }) {
    const Socket = WebSocket ?? globalThis.WebSocket;
    if (!Socket) {
      throw new StreamError("unsupported", "there is no global WebSocket here: pass one as the option WebSocket");
    }
    this.#host = url.host;
    this.#isLost = isLost;
    const socket = new Socket(url.href, protocols);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#timer = setTimeout(() => {
      const why = `no answer from ${url.host} in ${timeoutMs} ms`;
      this.drop(new StreamError("timeout", why, {
        retryable: true
      }));
    }, timeoutMs);
    this.opened = new Promise((resolve, reject) => {
      this.#rejectOpened = reject;
      socket.addEventListener("message", ({ data }) => this.#take(data, {
        hears,
        resolve
      }));
    });
    socket.addEventListener("error", () => {
    });
    socket.addEventListener("close", ({ code, reason }) => this.#end(code, reason));
  }
  /** Bytes that were sent but have not left. */
  get bufferedBytes() {
    return this.#socket.bufferedAmount;
  }
  send(data) {
    this.lastSentMs = Date.now();
    this.#socket.send(data);
  }
  /** Closes the connection, and ignores everything from now on. */
  close() {
    this.#isClosing = true;
    if (this.#socket.readyState < 2) this.#socket.close(1e3);
  }
  /** Abandons the connection without waiting for its close. */
  drop(why) {
    this.#said = why;
    this.#socket.close();
    this.#end(1006, "");
  }
  #take(data, { hears, resolve }) {
    if (this.#isClosing || this.#isGone) return;
    this.lastHeardMs = Date.now();
    let message;
    try {
      message = decode(data);
    } catch (error) {
      return this.drop(toStreamError(error));
    }
    if (message.type === "error") {
      const { code, message: text, retry_after_ms: retryAfterMs, ...details } = message;
      this.#said = new StreamError(code, text, {
        ...details,
        retryAfterMs
      });
      return;
    }
    if (message.type === "ready" && !this.#isReady) {
      this.#isReady = true;
      clearTimeout(this.#timer);
      resolve();
    }
    hears(message);
  }
  #end(code, reason) {
    if (this.#isGone) return;
    this.#isGone = true;
    clearTimeout(this.#timer);
    const wasCut = code === 0 || code === 1006;
    const why = !wasCut ? `the server closed with ${code} ${reason}` : this.#isReady ? "the connection to the server was lost" : `${this.#host} cannot be reached`;
    const error = this.#said ?? new StreamError("connection_lost", why, {
      retryable: true
    });
    error.closeCode ??= wasCut ? 1006 : code;
    if (this.#isReady) this.#isLost(error);
    else this.#rejectOpened(error);
  }
};
function decode(data) {
  if (typeof data === "string") return JSON.parse(data);
  if (data instanceof ArrayBuffer) return decodeBinary(data);
  throw new StreamError("connection_lost", "a message is neither text nor an ArrayBuffer");
}

// client/unread.ts
var Unread = class {
  #queue = [];
  #rows = 0;
  #isRead = false;
  #wake = () => {
  };
  /** Number of unread rows; 0 if nobody reads. */
  get rowsBehind() {
    return this.#isRead ? this.#rows : 0;
  }
  push(frames) {
    this.#queue.push(frames);
    this.#rows += frames.count;
    this.#wake();
  }
  /** Tells the reader that the stream has ended. */
  wake() {
    this.#wake();
  }
  /**
   * Yields frames until the stream has ended and none is left.
   *
   * @param stream `isEnded`, and what to do after each
   */
  async *read({ isEnded, isRead }) {
    this.#isRead = true;
    try {
      for (; ; ) {
        const frames = this.#queue.shift();
        if (frames) {
          this.#rows -= frames.count;
          yield frames;
          isRead();
        } else if (isEnded()) return;
        else await new Promise((resolve) => this.#wake = resolve);
      }
    } finally {
      this.#isRead = false;
    }
  }
};

// client/stream.ts
var CHUNK_BYTES = 32 * 1024;
var OPUS_BYTES_PER_SECOND = 16e3;
var CpcStream = class {
  /** Resolves when the stream has ended, with the error if there was one. */
  closed;
  #options;
  #url;
  #state = "new";
  #connection;
  #error;
  #resolveClosed = () => {
  };
  #ending = new AbortController();
  #listeners = new Listeners();
  #unread = new Unread();
  #outbox = new Outbox();
  /** Blobs that are being read, one after the other; what comes later waits for them. */
  #blobs;
  #receiver;
  #sender;
  #heartbeat;
  #onAbort = () => this.#end(new StreamError("aborted", "the stream was aborted", {
    cause: this.#options.signal?.reason
  }));
  /** Describes a stream; `connect` opens it. */
  constructor(url, options = {}) {
    this.#options = withDefaults(options);
    const { encoding, channels, output = [
      "context"
    ], steps = [], every = 1 } = this.#options;
    const { keepAlive, timeoutMs, windowSeconds } = this.#options;
    const sampleBytes = isOpus(encoding) ? void 0 : SAMPLE_BYTES[encoding] * channels;
    this.#url = streamUrl(url);
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.#receiver = new Receiver({
      selection: {
        output,
        steps,
        every
      },
      sampleBytes,
      outbox: this.#outbox,
      listeners: this.#listeners,
      unread: this.#unread,
      sender: () => this.#sender,
      fails: (error) => this.#end(error)
    });
    this.#sender = new Sender({
      outbox: this.#outbox,
      connection: () => this.#openConnection,
      windowBytes: () => windowSeconds * (sampleBytes ? this.ready.sample_rate * sampleBytes : OPUS_BYTES_PER_SECOND),
      confirmedBytes: () => this.#receiver.confirmedBytes,
      unreadFrames: () => this.#unread.rowsBehind
    });
    this.#heartbeat = new Heartbeat({
      connection: () => this.#openConnection,
      isAnswerOwed: () => this.#sender.isProbing || this.#outbox.isAnswerOwed,
      idleMs: () => this.ready.limits.idle_s * 1e3,
      keepAlive,
      timeoutMs
    });
  }
  /** The server's latest `ready`. @throws {TypeError} before the stream is open */
  get ready() {
    return this.#receiver.ready;
  }
  /** What the frames carry now. */
  get selection() {
    return this.#receiver.selection;
  }
  /** Connects; `connect` calls it. @throws {StreamError} */
  async open() {
    if (this.#state !== "new") throw new TypeError("a stream can be opened only once");
    this.#state = "connecting";
    const { signal } = this.#options;
    try {
      if (signal?.aborted) this.#onAbort();
      else signal?.addEventListener("abort", this.#onAbort, {
        once: true
      });
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
  async send(audio) {
    this.#assertOpen();
    const reading = this.#blobs;
    if (audio instanceof Blob || reading) {
      const sent = Promise.resolve(reading).then(() => audio instanceof Blob ? audio.arrayBuffer() : audio).then((audio2) => this.#queue(audio2));
      const blobs = this.#blobs = sent.catch(() => {
      }).then(() => {
        if (this.#blobs === blobs) this.#blobs = void 0;
      });
      await sent;
    } else this.#queue(audio);
    await this.#sender.untilWelcome();
  }
  #queue(audio) {
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
  mark(id = null) {
    return this.#ask({
      type: "mark"
    }, {
      read: (message) => message.type === "marked" ? {
        id,
        samples: message.samples,
        frames: message.frames
      } : void 0
    });
  }
  /**
   * Begins a new segment: samples and frames count from 0 again. Audio sent from now on belongs to
   * it.
   */
  reset() {
    return this.#ask({
      type: "reset"
    }, {
      isBarrier: true,
      read: (message) => message.type === "reset" ? {
        segment: message.segment
      } : void 0
    });
  }
  /**
   * Changes what frames carry, from the next frame on.
   *
   * @param change `voice`: enrols a voice for `head.speaker`, a pooled context of the model
   */
  update({ output, steps, every, voice }) {
    const change = {
      ...output && {
        output: [
          ...output
        ]
      },
      ...steps && {
        steps: [
          ...steps
        ]
      },
      ...every !== void 0 && {
        every
      },
      ...voice && {
        voice: Array.from(voice)
      }
    };
    return this.#ask({
      type: "update",
      ...change
    }, {
      isBarrier: true,
      read: (message) => message.type === "updated" && fulfils(message, {
        output,
        steps,
        every
      }) ? selectionOf(message) : void 0
    });
  }
  /** Restarts the server's idle clock. */
  keepAlive() {
    this.#openConnection?.send(JSON.stringify({
      type: "keep_alive"
    }));
  }
  /** Ends the audio. The last frames follow, then the stream closes. */
  finish() {
    return this.#ask({
      type: "finish"
    }, {
      isBarrier: true,
      read: (message) => message.type === "done" ? message : void 0
    });
  }
  /** Ends the stream at once; the server forgets it. */
  close() {
    this.#end(void 0);
  }
  /**
   * Listens to a kind of event. With a listener for frames, iteration gives none.
   *
   * @returns a function that stops listening
   */
  on(type, listener) {
    return this.#listeners.add(type, listener);
  }
  /**
   * Frames as they arrive, until `finish()` or `close()`; throws the error that ended the stream.
   * Unread frames are kept.
   */
  async *[Symbol.asyncIterator]() {
    yield* this.#unread.read({
      isEnded: () => this.#isClosed,
      isRead: () => this.#sender.pump()
    });
    if (this.#error) throw this.#error;
  }
  /** Connects to a new or existing session; resolves after `ready`. */
  async #dial(query) {
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
      isLost: (error) => void this.#lost(error)
    });
    await this.#connection.opened;
  }
  /** A connection is ready: sends what it lacks, then what is new. */
  #began() {
    this.#state = "open";
    this.#listeners.emit("ready", this.ready);
    this.#listeners.emit("state", {
      state: "open",
      attempt: 0,
      retryInMs: 0
    });
    this.#sender.pump();
  }
  /** Sends a request to the server. */
  #ask(message, asking) {
    const answer = this.#asked(message, asking);
    answer.catch(() => {
    });
    return answer;
  }
  async #asked(message, asking) {
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
  async #lost(error) {
    if (this.#isClosed) return;
    if (this.#receiver.isDone) return this.#end(void 0);
    if (!this.#options.resume || !canResume(error)) return this.#end(error);
    this.#state = "resuming";
    try {
      await resume(error, {
        forMs: this.#options.resumeForMs,
        received: this.#receiver.received,
        dial: (received) => this.#dialAgain(received),
        isResetPending: () => this.#outbox.isResetPending,
        tells: (state) => this.#listeners.emit("state", state),
        signal: this.#ending.signal
      });
      if (!this.#isClosed) this.#began();
    } catch (thrown) {
      this.#end(toStreamError(thrown));
    }
  }
  /** Resumes the session, or begins it anew where it is gone and nothing had come of it yet. */
  async #dialAgain(received) {
    try {
      await this.#dial([
        [
          "resume",
          this.ready.resume
        ],
        [
          "received",
          String(received)
        ]
      ]);
    } catch (error) {
      const isGone = toStreamError(error).code === "unknown_resume_token";
      if (!isGone || !this.#receiver.isAtBeginning || this.#isClosed) throw error;
      await this.#dial(streamQuery({
        ...this.#options,
        ...this.selection
      }));
    }
  }
  get #openConnection() {
    return this.#state === "open" ? this.#connection : void 0;
  }
  get #isClosed() {
    return this.#state === "closed";
  }
  #end(error) {
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
    this.#listeners.emit("state", {
      state: "closed",
      attempt: 0,
      retryInMs: 0,
      error
    });
    this.#resolveClosed(error);
  }
  #assertOpen() {
    if (this.#state === "open" || this.#state === "resuming") return;
    throw this.#error ?? new StreamError("closed", "the stream is closed");
  }
};

// client/local.ts
var LocalStream = class extends CpcStream {
  #socket;
  /** Describes a stream of a loaded engine; `connect` opens it. */
  constructor(engine, { state, ...options }) {
    let socket;
    super("http://this-browser", {
      ...options,
      resume: false,
      WebSocket: class extends LocalSocket {
        constructor(url) {
          super(engine, {
            query: new URL(url).search,
            state,
            opened: (own) => socket = own
          });
        }
      }
    });
    this.#socket = () => socket;
  }
  /**
   * The stream as a value: `connect({ model, state })` continues it, in this page or another, with
   * the frames of an unbroken stream. It holds everything sent so far.
   *
   * @throws {StreamError} when the stream has ended
   */
  async save() {
    await this.mark();
    const saved = await this.#socket()?.save();
    if (!saved) throw new StreamError("closed", "the stream ended before it was saved");
    return saved;
  }
};
async function connectHere({ model, engine, device, key, ...options }) {
  const page = globalThis.location?.href;
  if (page === void 0 || !globalThis.Worker) {
    const why = "models are computed in browsers alone; here, connect to a server by its address";
    throw new StreamError("unsupported", why);
  }
  const folder = new URL(model, page);
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  const files = new URL(engine ?? "/assets/", folder);
  const loading = Engine.load({
    model: folder.href,
    files,
    device,
    key
  });
  const loaded = await unlessAborted(loading, options.signal);
  const stream = new LocalStream(loaded, options);
  await stream.open();
  return stream;
}
async function unlessAborted(promise, signal) {
  if (!signal) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers();
  const abort = () => reject(new StreamError("aborted", "the stream was aborted", {
    cause: signal.reason
  }));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([
      promise,
      aborted
    ]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

// client/mod.ts
async function connect(where, options = {}) {
  if (typeof where === "object" && "model" in where) return await connectHere(where);
  const stream = new CpcStream(where, options);
  await stream.open();
  return stream;
}
export {
  CpcStream,
  LocalStream,
  StreamError,
  connect,
  decodeBinary,
  encodeAudio
};
