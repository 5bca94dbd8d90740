// Made of web/app.ts by deno task build:web.
/*! uPlot:
The MIT License (MIT)

Copyright (c) 2022 Leon Sorokin

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.*/
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

// client/browser/sound_file.ts
function toMono(channels) {
  const [first = new Float32Array()] = channels;
  if (channels.length === 1) return first;
  return first.map((_2, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
}
function interleave(channels) {
  const samples = new Float32Array(channels.length * (channels[0]?.length ?? 0));
  for (const [c, channel] of channels.entries()) {
    for (const [i, x] of channel.entries()) samples[i * channels.length + c] = x;
  }
  return samples;
}
function readWav(buffer) {
  const view = new DataView(buffer);
  const end = buffer.byteLength;
  const ascii = (at) => at + 4 <= end ? String.fromCharCode(...new Uint8Array(buffer, at, 4)) : "";
  if (ascii(0) !== "RIFF" || ascii(8) !== "WAVE") return void 0;
  let format2 = {
    tag: 0,
    channels: 0,
    sampleRate: 0,
    bits: 0
  };
  for (let at = 12; at + 8 <= end; ) {
    const [name, length, start3] = [
      ascii(at),
      view.getUint32(at + 4, true),
      at + 8
    ];
    if (name === "fmt " && start3 + 16 <= end) {
      const u16 = (offset) => view.getUint16(start3 + offset, true);
      const isExtensible = u16(0) === 65534 && start3 + 26 <= end;
      format2 = {
        tag: isExtensible ? u16(24) : u16(0),
        channels: u16(2),
        sampleRate: view.getUint32(start3 + 4, true),
        bits: u16(14)
      };
    } else if (name === "data") {
      const { tag, channels, sampleRate, bits } = format2;
      const width = bits / 8;
      const isKnown = tag === 1 && bits === 16 || tag === 3 && bits === 32;
      if (!isKnown || channels === 0) return void 0;
      const samples = Math.floor(Math.min(length, end - start3) / width / channels);
      const read = (c) => Float32Array.from({
        length: samples
      }, (_2, i) => {
        const place = start3 + (i * channels + c) * width;
        return tag === 3 ? view.getFloat32(place, true) : view.getInt16(place, true) / 32768;
      });
      return {
        sampleRate,
        channels: Array.from({
          length: channels
        }, (_2, c) => read(c))
      };
    }
    at = start3 + length + length % 2;
  }
  return void 0;
}
function flacRate(buffer) {
  const view = new DataView(buffer);
  return buffer.byteLength > 42 && view.getUint32(0) === 1716281667 ? view.getUint32(18) >>> 12 : void 0;
}

// client/browser/file.ts
var RATES = {
  lowest: 8e3,
  highest: 96e3
};
var FALLBACK_RATE = 48e3;
var PIECE_SECONDS = 0.5;
var TICK_MS = 20;
async function openFile(file, { isFast, channels = 1 }) {
  const read = await decode(await file.arrayBuffer());
  const has = read.channels.length;
  if (channels === 2 && has !== 2) {
    throw new StreamError("not_stereo", `${file.name} must have 2 channels, not ${has}`);
  }
  const sound = channels === 2 ? read : {
    ...read,
    channels: [
      toMono(read.channels)
    ]
  };
  return isFast ? new PouredFile(file.name, sound) : new PlayedFile(file.name, sound);
}
var FileSource = class {
  name;
  sound;
  isPaused;
  isStopped;
  constructor(name, sound) {
    this.name = name;
    this.sound = sound;
    this.isPaused = false;
    this.isStopped = false;
  }
  get sampleRate() {
    return this.sound.sampleRate;
  }
  get channels() {
    return this.sound.channels.length === 2 ? 2 : 1;
  }
  /** Samples of each channel. */
  get length() {
    return this.sound.channels[0]?.length ?? 0;
  }
  /** Interleaved samples. */
  slice(from, to) {
    return interleave(this.sound.channels.map((channel) => channel.slice(from, to)));
  }
  async run(give, ended) {
    await this.giveAll(give);
    if (!this.isStopped) ended();
  }
  stop() {
    this.isStopped = true;
  }
};
var PouredFile = class extends FileSource {
  async giveAll(give) {
    const piece = Math.round(PIECE_SECONDS * this.sampleRate);
    for (let at = 0; at < this.length && !this.isStopped; at += piece) {
      while (this.isPaused && !this.isStopped) await tick();
      await give(this.slice(at, at + piece));
    }
  }
};
var PlayedFile = class extends FileSource {
  #player = new AudioContext();
  async giveAll(give) {
    const { sampleRate, length } = this;
    this.#play();
    let at = 0;
    let elapsedMs = 0;
    let lastMs = performance.now();
    while (at < length && !this.isStopped) {
      await tick();
      const nowMs = performance.now();
      if (this.isPaused !== (this.#player.state === "suspended")) {
        void (this.isPaused ? this.#player.suspend() : this.#player.resume());
      }
      if (!this.isPaused) elapsedMs += nowMs - lastMs;
      lastMs = nowMs;
      const due = Math.min(length, Math.round(elapsedMs / 1e3 * sampleRate));
      if (due > at) void give(this.slice(at, due));
      at = due;
    }
  }
  stop() {
    super.stop();
    if (this.#player.state !== "closed") void this.#player.close();
  }
  #play() {
    const { sampleRate, length, channels: numberOfChannels } = this;
    const node = this.#player.createBufferSource();
    node.buffer = new AudioBuffer({
      length,
      sampleRate,
      numberOfChannels
    });
    for (const [c, channel] of this.sound.channels.entries()) {
      node.buffer.copyToChannel(channel, c);
    }
    node.connect(this.#player.destination);
    node.start();
  }
};
function tick() {
  return new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
async function decode(bytes) {
  const isStreamable = (rate) => rate >= RATES.lowest && rate <= RATES.highest;
  const plain = readWav(bytes);
  if (plain?.channels[0]?.length && isStreamable(plain.sampleRate)) return plain;
  const stated = flacRate(bytes);
  const sampleRate = stated && isStreamable(stated) ? stated : FALLBACK_RATE;
  const audio = await new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(bytes);
  return {
    sampleRate,
    channels: Array.from({
      length: audio.numberOfChannels
    }, (_2, channel) => audio.getChannelData(channel))
  };
}

// client/browser/worklet_text.ts
var WORKLET = 'var PIECE_SAMPLES = Math.ceil(sampleRate / 50 / 128) * 128;\nvar Capture = class extends AudioWorkletProcessor {\n  #channels;\n  #piece;\n  #filled = 0;\n  constructor({ processorOptions: { channels } }) {\n    super();\n    this.#channels = channels;\n    this.#piece = new Float32Array(PIECE_SAMPLES * channels);\n  }\n  process([inputs = []]) {\n    const samples = inputs[0]?.length ?? 0;\n    for (let i = 0; i < samples; i++) {\n      if (this.#channels === 1) {\n        this.#add(inputs.reduce((sum, input) => sum + input[i], 0) / inputs.length);\n      } else for (let c = 0; c < this.#channels; c++) this.#add(inputs[c]?.[i] ?? 0);\n    }\n    if (this.#filled + samples * this.#channels > this.#piece.length) {\n      const piece = this.#piece.slice(0, this.#filled);\n      this.port.postMessage(piece, [\n        piece.buffer\n      ]);\n      this.#filled = 0;\n    }\n    return true;\n  }\n  #add(sample) {\n    this.#piece[this.#filled++] = sample;\n  }\n};\nregisterProcessor("capture", Capture);\n';

// client/browser/microphone.ts
async function openMicrophone({ workletUrl, channels = 1, devices = [
  ""
] } = {}) {
  if (!navigator.mediaDevices) {
    throw new DOMException("no microphone without a secure context", "SecurityError");
  }
  const media = [];
  let context;
  try {
    for (const device of devices) {
      media.push(await ask(device, {
        isStereo: channels > devices.length
      }));
    }
    context = new AudioContext();
    await addWorklet(context, workletUrl);
    return new Microphone(media, {
      context,
      channels
    });
  } catch (error) {
    release(media);
    await context?.close();
    throw error;
  }
}
async function ask(device, { isStereo }) {
  return await navigator.mediaDevices.getUserMedia({
    audio: {
      ...device !== "" && {
        deviceId: {
          exact: device
        }
      },
      ...isStereo && {
        channelCount: {
          exact: 2
        }
      },
      echoCancellation: false,
      noiseSuppression: false,
      autoGainControl: false
    }
  });
}
async function addWorklet(context, url) {
  if (url !== void 0) return await context.audioWorklet.addModule(url);
  const made = URL.createObjectURL(new Blob([
    WORKLET
  ], {
    type: "text/javascript"
  }));
  try {
    await context.audioWorklet.addModule(made);
  } finally {
    URL.revokeObjectURL(made);
  }
}
function release(media) {
  for (const track of media.flatMap((one) => one.getTracks())) track.stop();
}
var Microphone = class {
  isPaused = false;
  channels;
  #media;
  #context;
  #capture;
  constructor(media, { context, channels }) {
    this.#media = media;
    this.#context = context;
    this.channels = channels;
  }
  get name() {
    return this.#tracks.map(({ label }) => label || "microphone").join(" and ");
  }
  get sampleRate() {
    return this.#context.sampleRate;
  }
  get #tracks() {
    return this.#media.flatMap((one) => one.getAudioTracks());
  }
  async run(give, ended) {
    const { channels } = this;
    this.#capture = new AudioWorkletNode(this.#context, "capture", {
      numberOfOutputs: 0,
      processorOptions: {
        channels
      },
      ...channels === 2 && {
        channelCount: 2,
        channelCountMode: "explicit",
        channelInterpretation: "discrete"
      }
    });
    this.#capture.port.onmessage = ({ data }) => {
      if (!this.isPaused) void give(data);
    };
    for (const track of this.#tracks) {
      track.onended = () => ended("A microphone was unplugged or its permission was withdrawn.");
    }
    this.#connect(this.#capture);
    await this.#context.resume();
  }
  stop() {
    if (this.#capture) this.#capture.port.onmessage = null;
    release(this.#media);
    if (this.#context.state !== "closed") void this.#context.close();
  }
  /** One device as it is; of several, each becomes a channel. */
  #connect(capture) {
    const nodes = this.#media.map((one) => this.#context.createMediaStreamSource(one));
    if (nodes.length === 1) return void nodes[0]?.connect(capture);
    const merger = this.#context.createChannelMerger(nodes.length);
    for (const [channel, node] of nodes.entries()) node.connect(merger, 0, channel);
    merger.connect(capture);
  }
};

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
  open(socket, { query: query2, state }) {
    clearTimeout(this.#leaving);
    this.#sockets.add(socket);
    const { port1, port2 } = new MessageChannel();
    const message = {
      type: "open",
      query: query2,
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
  constructor(engine, { query: query2, state, opened }) {
    this.#engine = engine;
    const port = this.#port = engine.open(this, {
      query: query2,
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
var TICK_MS2 = 1e3;
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
    this.#ticker = setInterval(() => this.look(Date.now()), TICK_MS2);
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
  const { output, steps, every, format: format2, dtype } = options;
  const query2 = {
    model,
    encoding,
    sample_rate: sampleRate,
    channels,
    channel,
    split: split ? 1 : void 0,
    output,
    steps,
    every,
    format: format2,
    dtype
  };
  return Object.entries(query2).flatMap(([name, value]) => value === void 0 ? [] : [
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
    const [mark, reset2] = [
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
      if ("message" in item && !item.isAnswered) item.offer(mark) || item.offer(reset2);
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
    output: OUTPUTS.filter((_2, i) => bits & 1 << i),
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
      const [surprise2 = NaN, ...rest] = take(1 + 2 * K);
      return Number.isNaN(surprise2) ? null : {
        surprise: surprise2,
        nce: rest.slice(0, K),
        correct: rest.slice(K)
      };
    });
  }
  return read;
}
function halfToFloat(half) {
  const sign2 = half & 32768 ? -1 : 1;
  const exponent = half >> 10 & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign2 * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign2 * Infinity;
  return sign2 * (1 + fraction / 1024) * 2 ** (exponent - 15);
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
    }, (_2, c) => c).every(has);
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
function fulfils({ output, steps, every }, change2) {
  const same = (wanted = [], found) => (/* @__PURE__ */ new Set([
    ...wanted,
    ...found
  ])).size === new Set(wanted).size && new Set(wanted).size === new Set(found).size;
  return (change2.output === void 0 || same(change2.output, output)) && (change2.steps === void 0 || same(change2.steps, steps)) && (change2.every === void 0 || change2.every === every);
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
      message = decode2(data);
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
function decode2(data) {
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
    const change2 = {
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
      ...change2
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
  async #dial(query2) {
    if (this.#error) throw this.#error;
    const { key, timeoutMs, WebSocket } = this.#options;
    const url = new URL(this.#url);
    for (const [name, value] of query2) url.searchParams.append(name, value);
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

// web/dom.ts
function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new TypeError(`the page has no ${kind.name} #${id}`);
  return element;
}
function write(id, text) {
  byId(id, HTMLElement).textContent = text;
}

// web/live.ts
var CONNECT_MS = 6e3;
var Live = class {
  #watching;
  #source;
  #stream;
  /** The segment that is shown, and the one that rows and events belong to. */
  #segment = 0;
  #headSegment = 0;
  #isStopped = false;
  constructor(watching) {
    this.#watching = watching;
  }
  /**
   * Opens the source, connects, and sends the source's audio until the stream ends.
   *
   * @throws {Error} why the stream did not begin, unless it was stopped meanwhile, or why it ended
   */
  async run(openSource, options) {
    let stream;
    try {
      stream = await this.#open(openSource, options);
    } catch (error2) {
      this.#source?.stop();
      if (!this.#isStopped) throw error2;
    }
    if (!stream) return;
    const error = await stream.closed;
    this.#source?.stop();
    if (error) throw error;
  }
  /** Ends the audio; resolves after the last vectors, or with nothing if there were none. */
  async stop() {
    this.#isStopped = true;
    this.#source?.stop();
    return await this.#stream?.finish();
  }
  /** @returns whether the source is now paused; undefined before there is one */
  togglePause() {
    if (!this.#source) return void 0;
    return this.#source.isPaused = !this.#source.isPaused;
  }
  /** Resets the stream. @returns undefined before there is a stream */
  reset() {
    if (!this.#stream) return void 0;
    this.#segment++;
    return this.#stream.reset();
  }
  async update(output) {
    await this.#stream?.update({
      output
    });
  }
  /** @returns undefined if it was stopped meanwhile */
  async #open(openSource, options) {
    const watching = this.#watching;
    watching.says("Asking for audio \u2026");
    const source = this.#source = await openSource();
    const { name, sampleRate, channels } = source;
    if (this.#isStopped) return void source.stop();
    const { weights, model, ...rest } = options();
    watching.says(weights ? "Loading the model into this browser \u2026" : "Connecting \u2026");
    watching.begins({
      sampleRate,
      channels
    });
    const wanted = {
      ...rest,
      sampleRate,
      channels,
      split: channels === 2
    };
    const stream = weights ? await connect({
      ...wanted,
      model: weights
    }) : await connect(location.origin, {
      ...wanted,
      model,
      timeoutMs: CONNECT_MS
    });
    if (this.#isStopped) return void stream.close();
    this.#stream = stream;
    this.#listen(stream);
    const where = weights ? " in this browser" : "";
    watching.isLive(`${name}, ${sampleRate} Hz, to ${stream.ready.model}${where}`);
    const give = (samples) => {
      watching.hears({
        samples,
        length: samples.length / channels
      });
      return stream.send(samples).catch(() => {
      });
    };
    source.run(give, (problem) => watching.ends(problem)).catch((error) => {
      if (!this.#isStopped) watching.ends(String(error));
    });
    return stream;
  }
  #listen(stream) {
    const watching = this.#watching;
    stream.on("frames", (frames) => {
      if (frames.segment === this.#segment) watching.takes(frames, stream.ready);
    });
    stream.on("reset", ({ segment }) => this.#headSegment = segment);
    stream.on("head", (rows) => {
      if (this.#headSegment === this.#segment) watching.takesRows(rows);
    });
    stream.on("event", (event) => {
      if (this.#headSegment === this.#segment) watching.takesEvent(event);
    });
    stream.on("warning", ({ code, message }) => {
      if (code === "backlog") {
        watching.says("The server computes more slowly than audio arrives, so the vectors lag behind.");
      } else if (code !== "idle") watching.says(message);
    });
    stream.on("state", (state) => watching.resumes(state));
  }
};

// web/words.ts
var WORDS = {
  unauthorized: "This server requires a key, and does not know the one you gave, if any. Type a key above, then start again.",
  overloaded: "The server is busy: it already has as many live streams as it can keep on time. Try again in a moment.",
  too_many_streams: "Too many streams are open at once, for this key or for the server. Close another one, or try again in a moment.",
  rate_limited: "This key has used up its quota for now. Try again later.",
  draining: "The server is stopping. Try again when it is back.",
  loading: "The server is still loading its models. Try again in a moment.",
  connection_lost: "The connection to the server was lost and did not come back. Check that the server is running and the network works, then start again.",
  timeout: "The server did not answer in time. Check the network, then start again.",
  unknown_resume_token: "The connection was lost for too long, or the server was restarted, so it no longer has this stream. Start a new one.",
  idle_timeout: "The server ended the stream because nothing was sent for too long. Start again.",
  session_limit: "This stream has reached the server's time limit. Start again.",
  slow_reader: "This machine could not process the vectors as fast as they arrived. Close other tabs, or choose context vectors.",
  model_failed: "The model failed on the server; its log says why. Start again.",
  not_stereo: "The chosen head listens to two speakers. It requires an audio file with two channels, one for each of them.",
  OverconstrainedError: "The microphone is gone, or it has one channel only. Choose another one for speaker 2, or one with two channels for both.",
  NotAllowedError: "The browser did not allow the microphone. Allow it in the site settings (next to the address), then start again. An audio file works without it.",
  NotFoundError: "No microphone was found. Plug one in, then start again. An audio file works without it.",
  NotReadableError: "The microphone is there but does not answer: another program may be using it.",
  SecurityError: "Browsers give the microphone only to pages from https or from localhost. Serve with --tls-cert and --tls-key, or forward the port: ssh -L 8000:localhost:8000 HOST, and open http://localhost:8000. An audio file works here.",
  EncodingError: "This file could not be decoded as audio by the browser. Try WAV, FLAC, Ogg or MP3."
};
function explain(error) {
  const { code, name, message, retryAfterMs = 0 } = error;
  const words = WORDS[typeof code === "string" ? code : name ?? ""];
  const wait2 = retryAfterMs >= 1e3 ? ` It asks for ${Math.ceil(retryAfterMs / 1e3)} s.` : "";
  return words ? words + wait2 : `It failed: ${message ?? error}`;
}

// web/panels/controls.ts
var KEYS = {
  m: "microphone",
  p: "pause",
  r: "reset"
};
var TYPING = /^(INPUT|SELECT|BUTTON|TEXTAREA)$/;
var ControlsPanel = class {
  #microphone = byId("microphone", HTMLButtonElement);
  #pause = byId("pause", HTMLButtonElement);
  #reset = byId("reset", HTMLButtonElement);
  #badge = byId("state", HTMLElement);
  #file = byId("file", HTMLInputElement);
  #speed = byId("speed", HTMLSelectElement);
  #model = byId("model", HTMLSelectElement);
  #output = byId("output", HTMLSelectElement);
  #score = byId("score", HTMLInputElement);
  #here = byId("here", HTMLInputElement);
  #key = byId("key", HTMLInputElement);
  #status = byId("status", HTMLElement);
  #isLive = false;
  /** The server gives the model's files to browsers. */
  #canBeHere = false;
  #problem = byId("problem", HTMLElement);
  constructor(actions) {
    this.#microphone.onclick = () => actions.microphone();
    this.#pause.onclick = () => actions.pause();
    this.#reset.onclick = () => actions.reset();
    this.#output.onchange = this.#score.onchange = () => actions.outputs();
    this.#model.onchange = () => actions.model();
    this.#key.onchange = () => actions.key();
    const take = (file) => {
      if (file) actions.file(file, {
        isFast: this.#speed.value === "fast"
      });
    };
    this.#file.onchange = () => {
      take(this.#file.files?.[0]);
      this.#file.value = "";
    };
    listenForDrops(take);
    this.#listenForKeys();
  }
  get model() {
    return this.#model.value;
  }
  get shown() {
    return this.#output.value === "latent" ? "latent" : "context";
  }
  get isScoring() {
    return this.#score.checked;
  }
  /** The model is to run in this browser. */
  get isHere() {
    return this.#here.checked && this.#canBeHere;
  }
  get key() {
    return this.#key.value;
  }
  focusKey() {
    this.#key.focus();
  }
  /** Lists models; the chosen one stays so. */
  offerModels(ids) {
    const { model } = this;
    this.#model.replaceChildren(...ids.map((id) => new Option(id, id, false, id === model)));
  }
  /** Whether the chosen model can run in this browser. */
  offerHere(isPossible) {
    this.#canBeHere = isPossible;
    this.#here.disabled = this.#isLive || !isPossible;
  }
  say(text) {
    this.#status.textContent = text;
  }
  /** Shows what went wrong, in words. */
  complain(error) {
    this.#problem.textContent = typeof error === "string" ? error : explain(error);
    this.#problem.hidden = false;
  }
  forgive() {
    this.#problem.hidden = true;
  }
  show(mood, { text, isLive }) {
    this.#badge.dataset.state = mood;
    this.#badge.textContent = text;
    this.#microphone.textContent = isLive ? "Stop" : "Start microphone";
    this.#pause.disabled = this.#reset.disabled = !isLive;
    if (!isLive) this.showPaused(false);
    this.#model.disabled = this.#key.disabled = this.#isLive = isLive;
    this.offerHere(this.#canBeHere);
  }
  showPaused(isPaused) {
    this.#pause.setAttribute("aria-pressed", String(isPaused));
    this.#pause.textContent = isPaused ? "Continue" : "Pause";
  }
  #listenForKeys() {
    const buttons = {
      microphone: this.#microphone,
      pause: this.#pause,
      reset: this.#reset
    };
    document.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
      if (ctrlKey || metaKey || altKey) return;
      if (target instanceof Element && TYPING.test(target.tagName)) return;
      if (key === "m" || key === "p" || key === "r") buttons[KEYS[key]].click();
    });
  }
};
function listenForDrops(take) {
  const show2 = (isOver) => document.body.classList.toggle("dragging", isOver);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    show2(true);
  });
  document.addEventListener("dragleave", () => show2(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    show2(false);
    take(event.dataTransfer?.files[0]);
  });
}

// web/panels/events.ts
var MOST_LISTED = 100;
var EventsPanel = class {
  #card = byId("events", HTMLElement);
  #body = byId("event-rows", HTMLElement);
  #note = byId("event-note", HTMLElement);
  beginAudio() {
    this.#body.replaceChildren();
    this.#note.hidden = false;
  }
  beginHeads(heads) {
    this.#card.hidden = heads.every(({ events }) => events.length === 0);
  }
  takeEvent({ head, event, channel, state, time }) {
    this.#note.hidden = true;
    const row = document.createElement("tr");
    const whose = channel === void 0 ? "" : `, speaker ${channel + 1}`;
    for (const text of [
      `${time.toFixed(2)} s`,
      event,
      WORDS2[state],
      `${head}${whose}`
    ]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    this.#body.prepend(row);
    while (this.#body.childElementCount > MOST_LISTED) this.#body.lastElementChild?.remove();
  }
};
var WORDS2 = {
  start: "began",
  end: "ended"
};

// web/latency.ts
var MODEL_SAMPLE_RATE = 16e3;
var MOST_REMEMBERED = 4e3;
var Latency = class {
  #ms;
  #samples = 0;
  /** When samples up to a number were handed over. */
  #sent = [];
  /** In milliseconds; undefined before the first. */
  get ms() {
    return this.#ms;
  }
  /** Starts counting samples from 0 again. */
  beginSegment() {
    this.#samples = 0;
    this.#sent = [];
  }
  /** Notes the number of samples handed over. */
  sent(samples) {
    this.#samples += samples;
    this.#sent.push({
      samples: this.#samples,
      atMs: performance.now()
    });
    if (this.#sent.length > MOST_REMEMBERED) this.#sent.splice(0, MOST_REMEMBERED / 2);
  }
  /** Notes received frames. */
  arrived({ first, count, every }, { hop, lookahead, sample_rate: rate }) {
    const last = first + (count - 1) * every;
    const needed = (last * hop + lookahead) * rate / MODEL_SAMPLE_RATE;
    const index = this.#sent.findIndex(({ samples }) => samples >= needed);
    const sent = this.#sent[index];
    if (!sent) return;
    const ms = performance.now() - sent.atMs;
    this.#ms = this.#ms === void 0 ? ms : this.#ms + (ms - this.#ms) * 0.1;
    this.#sent.splice(0, index);
  }
};

// web/panels/figures.ts
var SPEED_MS = {
  span: 2e3,
  shortest: 400
};
var FiguresPanel = class {
  #surprise;
  #sampleRate = 1;
  /** Samples of each channel, and frames, of the segment. */
  #samples = 0;
  #frames = 0;
  #latency = new Latency();
  #resumed = 0;
  #framesPerSecond = 0;
  /** Frames of the whole stream, and their number over time. */
  #allFrames = 0;
  #marks = [];
  #isLive = false;
  /** @param surprise in nats, whose mean is shown */
  constructor(surprise2) {
    this.#surprise = surprise2;
  }
  /** A stream was requested. */
  begin() {
    this.#latency = new Latency();
    this.#allFrames = this.#resumed = 0;
    this.#marks = [];
    this.#isLive = true;
    for (const id of [
      "n-latency",
      "n-speed"
    ]) write(id, "\u2013");
  }
  /** The stream has ended; its speed stays. */
  end() {
    this.#isLive = false;
  }
  /** The connection was lost, and is back. */
  countResumed() {
    this.#resumed++;
    this.tell();
  }
  beginAudio({ sampleRate }) {
    this.#sampleRate = sampleRate;
    this.#samples = 0;
    this.#latency.beginSegment();
  }
  hear({ length }) {
    this.#samples += length;
    this.#latency.sent(length);
  }
  beginVectors() {
    this.#frames = 0;
  }
  take({ frames, ready }) {
    this.#frames = frames.first + frames.count;
    this.#allFrames += frames.count;
    this.#framesPerSecond = ready.frame_rate;
    this.#latency.arrived(frames, ready);
  }
  tell() {
    const { mean } = this.#surprise;
    write("n-seconds", `${(this.#samples / this.#sampleRate).toFixed(1)} s`);
    write("n-frames", String(this.#frames));
    write("n-surprise", mean === void 0 ? "\u2013" : `${mean.toFixed(2)} nats`);
    write("n-resumed", String(this.#resumed));
    const { ms } = this.#latency;
    if (ms !== void 0) write("n-latency", `${ms.toFixed(0)} ms`);
    if (this.#isLive && this.#framesPerSecond > 0) this.#tellSpeed();
  }
  #tellSpeed() {
    const now = {
      atMs: performance.now(),
      frames: this.#allFrames
    };
    this.#marks.push(now);
    while (this.#marks.length > 2 && now.atMs - (this.#marks[0]?.atMs ?? 0) > SPEED_MS.span) {
      this.#marks.shift();
    }
    const { atMs, frames } = this.#marks[0] ?? now;
    if (now.atMs - atMs < SPEED_MS.shortest) return;
    const audioSeconds = (now.frames - frames) / this.#framesPerSecond;
    write("n-speed", `${(audioSeconds / (now.atMs - atMs) * 1e3).toFixed(2)} \xD7`);
  }
};

// web/panels/head_choice.ts
var HeadChoice = class {
  #field = byId("heads", HTMLFieldSetElement);
  #list = byId("head-list", HTMLElement);
  #note = byId("heads-note", HTMLElement);
  #changed;
  #choices = [];
  /** Channels of the stream that is live. */
  #liveChannels;
  /** @param changed called when the visitor has chosen */
  constructor(changed) {
    this.#changed = () => {
      this.#explain();
      changed();
    };
  }
  get chosen() {
    return this.#choices.filter(({ box }) => box.checked).map(({ head }) => head);
  }
  /** Whether a chosen head listens to two speakers. */
  get isOfTwo() {
    return this.chosen.some(({ channels }) => channels === 2);
  }
  /**
   * Shows a model's heads: those that were chosen stay so, and at first one of one speaker is.
   *
   * @returns the chosen heads that are gone
   */
  offer(heads) {
    const before = this.chosen.map(({ name }) => name);
    const first = this.#choices.length === 0 ? heads.find(({ channels }) => channels === 1) : null;
    this.#choices = heads.map((head) => {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = head === first || before.includes(head.name);
      box.onchange = this.#changed;
      return {
        head,
        box
      };
    });
    this.#list.replaceChildren(...this.#choices.map(labelOf));
    this.#field.hidden = heads.length === 0;
    this.#explain();
    return before.filter((name) => heads.every((head) => head.name !== name));
  }
  /** @param channels of the stream that is live; undefined where none is */
  follow(channels) {
    this.#liveChannels = channels;
    this.#explain();
  }
  #explain() {
    const isMono = this.#liveChannels === 1;
    for (const { head, box } of this.#choices) box.disabled = isMono && head.channels === 2;
    const ofTwo = this.#choices.filter(({ head }) => head.channels === 2).map(({ head }) => head.name);
    this.#note.textContent = isMono && ofTwo.length > 0 ? `To listen to two speakers, stop, choose ${ofTwo.join(" or ")}, and start again.` : this.isOfTwo ? "Speaker 1 is the left channel of a file, speaker 2 the right one." : "";
    this.#note.hidden = this.#note.textContent === "";
  }
};
function labelOf({ head: { name, channels }, box }) {
  const label = document.createElement("label");
  label.className = "check";
  label.append(box, channels === 2 ? `${name} (two speakers)` : name);
  return label;
}

// web/head_columns.ts
var MOST_COLUMNS = 12;
var TITLES = {
  p_now: "Whose turn it is",
  p_future: "Who speaks next",
  vad: "Who is speaking"
};
function isAboutTurns({ channels, outputs }) {
  const isPair = (wanted) => outputs.some(({ name, shape }) => name === wanted && shape.join() === "2");
  return channels === 2 && isPair("p_now") && isPair("p_future");
}
function titleOf(head, { name }) {
  return isAboutTurns(head) ? TITLES[name] ?? name : name;
}
function columnsOf({ channels }, { name, shape, labels }) {
  const size = shape.reduce((a, b) => a * b, 1);
  const isOfSpeakers = channels === 2 && shape.join() === "2";
  const label = (i) => {
    if (labels) return labels[i] ?? "";
    if (isOfSpeakers) return `speaker ${i + 1}`;
    return size === 1 ? name : `${name} ${i}`;
  };
  const shown2 = Math.min(size, MOST_COLUMNS);
  return {
    labels: Array.from({
      length: shown2
    }, (_2, i) => label(i)),
    left: size - shown2
  };
}

// npm:uplot/1.6.32/dist/uPlot.esm.js
var FEAT_TIME = true;
var pre = "u-";
var UPLOT = "uplot";
var ORI_HZ = pre + "hz";
var ORI_VT = pre + "vt";
var TITLE = pre + "title";
var WRAP = pre + "wrap";
var UNDER = pre + "under";
var OVER = pre + "over";
var AXIS = pre + "axis";
var OFF = pre + "off";
var SELECT = pre + "select";
var CURSOR_X = pre + "cursor-x";
var CURSOR_Y = pre + "cursor-y";
var CURSOR_PT = pre + "cursor-pt";
var LEGEND = pre + "legend";
var LEGEND_LIVE = pre + "live";
var LEGEND_INLINE = pre + "inline";
var LEGEND_SERIES = pre + "series";
var LEGEND_MARKER = pre + "marker";
var LEGEND_LABEL = pre + "label";
var LEGEND_VALUE = pre + "value";
var WIDTH = "width";
var HEIGHT = "height";
var TOP = "top";
var BOTTOM = "bottom";
var LEFT = "left";
var RIGHT = "right";
var hexBlack = "#000";
var transparent = hexBlack + "0";
var mousemove = "mousemove";
var mousedown = "mousedown";
var mouseup = "mouseup";
var mouseenter = "mouseenter";
var mouseleave = "mouseleave";
var dblclick = "dblclick";
var resize = "resize";
var scroll = "scroll";
var change = "change";
var dppxchange = "dppxchange";
var LEGEND_DISP = "--";
var domEnv = typeof window != "undefined";
var doc = domEnv ? document : null;
var win = domEnv ? window : null;
var nav = domEnv ? navigator : null;
var pxRatio;
var query;
function setPxRatio() {
  let _pxRatio = devicePixelRatio;
  if (pxRatio != _pxRatio) {
    pxRatio = _pxRatio;
    query && off(change, query, setPxRatio);
    query = matchMedia(`(min-resolution: ${pxRatio - 1e-3}dppx) and (max-resolution: ${pxRatio + 1e-3}dppx)`);
    on(change, query, setPxRatio);
    win.dispatchEvent(new CustomEvent(dppxchange));
  }
}
function addClass(el, c) {
  if (c != null) {
    let cl = el.classList;
    !cl.contains(c) && cl.add(c);
  }
}
function remClass(el, c) {
  let cl = el.classList;
  cl.contains(c) && cl.remove(c);
}
function setStylePx(el, name, value) {
  el.style[name] = value + "px";
}
function placeTag(tag, cls, targ, refEl) {
  let el = doc.createElement(tag);
  if (cls != null) addClass(el, cls);
  if (targ != null) targ.insertBefore(el, refEl);
  return el;
}
function placeDiv(cls, targ) {
  return placeTag("div", cls, targ);
}
var xformCache = /* @__PURE__ */ new WeakMap();
function elTrans(el, xPos, yPos, xMax, yMax) {
  let xform = "translate(" + xPos + "px," + yPos + "px)";
  let xformOld = xformCache.get(el);
  if (xform != xformOld) {
    el.style.transform = xform;
    xformCache.set(el, xform);
    if (xPos < 0 || yPos < 0 || xPos > xMax || yPos > yMax) addClass(el, OFF);
    else remClass(el, OFF);
  }
}
var colorCache = /* @__PURE__ */ new WeakMap();
function elColor(el, background, borderColor) {
  let newColor = background + borderColor;
  let oldColor = colorCache.get(el);
  if (newColor != oldColor) {
    colorCache.set(el, newColor);
    el.style.background = background;
    el.style.borderColor = borderColor;
  }
}
var sizeCache = /* @__PURE__ */ new WeakMap();
function elSize(el, newWid, newHgt, centered) {
  let newSize = newWid + "" + newHgt;
  let oldSize = sizeCache.get(el);
  if (newSize != oldSize) {
    sizeCache.set(el, newSize);
    el.style.height = newHgt + "px";
    el.style.width = newWid + "px";
    el.style.marginLeft = centered ? -newWid / 2 + "px" : 0;
    el.style.marginTop = centered ? -newHgt / 2 + "px" : 0;
  }
}
var evOpts = {
  passive: true
};
var evOpts2 = {
  ...evOpts,
  capture: true
};
function on(ev, el, cb, capt) {
  el.addEventListener(ev, cb, capt ? evOpts2 : evOpts);
}
function off(ev, el, cb, capt) {
  el.removeEventListener(ev, cb, evOpts);
}
domEnv && setPxRatio();
function closestIdx(num, arr, lo, hi) {
  let mid;
  lo = lo || 0;
  hi = hi || arr.length - 1;
  let bitwise = hi <= 2147483647;
  while (hi - lo > 1) {
    mid = bitwise ? lo + hi >> 1 : floor((lo + hi) / 2);
    if (arr[mid] < num) lo = mid;
    else hi = mid;
  }
  if (num - arr[lo] <= arr[hi] - num) return lo;
  return hi;
}
function makeIndexOfs(predicate) {
  let indexOfs = (data, _i0, _i1) => {
    let i0 = -1;
    let i1 = -1;
    for (let i = _i0; i <= _i1; i++) {
      if (predicate(data[i])) {
        i0 = i;
        break;
      }
    }
    for (let i = _i1; i >= _i0; i--) {
      if (predicate(data[i])) {
        i1 = i;
        break;
      }
    }
    return [
      i0,
      i1
    ];
  };
  return indexOfs;
}
var notNullish = (v) => v != null;
var isPositive = (v) => v != null && v > 0;
var nonNullIdxs = makeIndexOfs(notNullish);
var positiveIdxs = makeIndexOfs(isPositive);
function getMinMax(data, _i0, _i1, sorted = 0, log = false) {
  let getEdgeIdxs = log ? positiveIdxs : nonNullIdxs;
  let predicate = log ? isPositive : notNullish;
  [_i0, _i1] = getEdgeIdxs(data, _i0, _i1);
  let _min = data[_i0];
  let _max = data[_i0];
  if (_i0 > -1) {
    if (sorted == 1) {
      _min = data[_i0];
      _max = data[_i1];
    } else if (sorted == -1) {
      _min = data[_i1];
      _max = data[_i0];
    } else {
      for (let i = _i0; i <= _i1; i++) {
        let v = data[i];
        if (predicate(v)) {
          if (v < _min) _min = v;
          else if (v > _max) _max = v;
        }
      }
    }
  }
  return [
    _min ?? inf,
    _max ?? -inf
  ];
}
function rangeLog(min2, max2, base, fullMags) {
  let minSign = sign(min2);
  let maxSign = sign(max2);
  if (min2 == max2) {
    if (minSign == -1) {
      min2 *= base;
      max2 /= base;
    } else {
      min2 /= base;
      max2 *= base;
    }
  }
  let logFn = base == 10 ? log10 : log2;
  let growMinAbs = minSign == 1 ? floor : ceil;
  let growMaxAbs = maxSign == 1 ? ceil : floor;
  let minExp = growMinAbs(logFn(abs(min2)));
  let maxExp = growMaxAbs(logFn(abs(max2)));
  let minIncr = pow(base, minExp);
  let maxIncr = pow(base, maxExp);
  if (base == 10) {
    if (minExp < 0) minIncr = roundDec(minIncr, -minExp);
    if (maxExp < 0) maxIncr = roundDec(maxIncr, -maxExp);
  }
  if (fullMags || base == 2) {
    min2 = minIncr * minSign;
    max2 = maxIncr * maxSign;
  } else {
    min2 = incrRoundDn(min2, minIncr);
    max2 = incrRoundUp(max2, maxIncr);
  }
  return [
    min2,
    max2
  ];
}
function rangeAsinh(min2, max2, base, fullMags) {
  let minMax = rangeLog(min2, max2, base, fullMags);
  if (min2 == 0) minMax[0] = 0;
  if (max2 == 0) minMax[1] = 0;
  return minMax;
}
var rangePad = 0.1;
var autoRangePart = {
  mode: 3,
  pad: rangePad
};
var _eqRangePart = {
  pad: 0,
  soft: null,
  mode: 0
};
var _eqRange = {
  min: _eqRangePart,
  max: _eqRangePart
};
function rangeNum(_min, _max, mult, extra) {
  if (isObj(mult)) return _rangeNum(_min, _max, mult);
  _eqRangePart.pad = mult;
  _eqRangePart.soft = extra ? 0 : null;
  _eqRangePart.mode = extra ? 3 : 0;
  return _rangeNum(_min, _max, _eqRange);
}
function ifNull(lh, rh) {
  return lh == null ? rh : lh;
}
function hasData(data, idx0, idx1) {
  idx0 = ifNull(idx0, 0);
  idx1 = ifNull(idx1, data.length - 1);
  while (idx0 <= idx1) {
    if (data[idx0] != null) return true;
    idx0++;
  }
  return false;
}
function _rangeNum(_min, _max, cfg) {
  let cmin = cfg.min;
  let cmax = cfg.max;
  let padMin = ifNull(cmin.pad, 0);
  let padMax = ifNull(cmax.pad, 0);
  let hardMin = ifNull(cmin.hard, -inf);
  let hardMax = ifNull(cmax.hard, inf);
  let softMin = ifNull(cmin.soft, inf);
  let softMax = ifNull(cmax.soft, -inf);
  let softMinMode = ifNull(cmin.mode, 0);
  let softMaxMode = ifNull(cmax.mode, 0);
  let delta = _max - _min;
  let deltaMag = log10(delta);
  let scalarMax = max(abs(_min), abs(_max));
  let scalarMag = log10(scalarMax);
  let scalarMagDelta = abs(scalarMag - deltaMag);
  if (delta < 1e-24 || scalarMagDelta > 10) {
    delta = 0;
    if (_min == 0 || _max == 0) {
      delta = 1e-24;
      if (softMinMode == 2 && softMin != inf) padMin = 0;
      if (softMaxMode == 2 && softMax != -inf) padMax = 0;
    }
  }
  let nonZeroDelta = delta || scalarMax || 1e3;
  let mag = log10(nonZeroDelta);
  let base = pow(10, floor(mag));
  let _padMin = nonZeroDelta * (delta == 0 ? _min == 0 ? 0.1 : 1 : padMin);
  let _newMin = roundDec(incrRoundDn(_min - _padMin, base / 10), 24);
  let _softMin = _min >= softMin && (softMinMode == 1 || softMinMode == 3 && _newMin <= softMin || softMinMode == 2 && _newMin >= softMin) ? softMin : inf;
  let minLim = max(hardMin, _newMin < _softMin && _min >= _softMin ? _softMin : min(_softMin, _newMin));
  let _padMax = nonZeroDelta * (delta == 0 ? _max == 0 ? 0.1 : 1 : padMax);
  let _newMax = roundDec(incrRoundUp(_max + _padMax, base / 10), 24);
  let _softMax = _max <= softMax && (softMaxMode == 1 || softMaxMode == 3 && _newMax >= softMax || softMaxMode == 2 && _newMax <= softMax) ? softMax : -inf;
  let maxLim = min(hardMax, _newMax > _softMax && _max <= _softMax ? _softMax : max(_softMax, _newMax));
  if (minLim == maxLim && minLim == 0) maxLim = 100;
  return [
    minLim,
    maxLim
  ];
}
var numFormatter = new Intl.NumberFormat(domEnv ? nav.language : "en-US");
var fmtNum = (val) => numFormatter.format(val);
var M = Math;
var PI = M.PI;
var abs = M.abs;
var floor = M.floor;
var round = M.round;
var ceil = M.ceil;
var min = M.min;
var max = M.max;
var pow = M.pow;
var sign = M.sign;
var log10 = M.log10;
var log2 = M.log2;
var sinh = (v, linthresh = 1) => M.sinh(v) * linthresh;
var asinh = (v, linthresh = 1) => M.asinh(v / linthresh);
var inf = Infinity;
function numIntDigits(x) {
  return (log10((x ^ x >> 31) - (x >> 31)) | 0) + 1;
}
function clamp(num, _min, _max) {
  return min(max(num, _min), _max);
}
function isFn(v) {
  return typeof v == "function";
}
function fnOrSelf(v) {
  return isFn(v) ? v : () => v;
}
var noop = () => {
};
var retArg0 = (_0) => _0;
var retArg1 = (_0, _1) => _1;
var retNull = (_2) => null;
var retTrue = (_2) => true;
var retEq = (a, b) => a == b;
var regex6 = /\.\d*?(?=9{6,}|0{6,})/gm;
var fixFloat = (val) => {
  if (isInt(val) || fixedDec.has(val)) return val;
  const str = `${val}`;
  const match = str.match(regex6);
  if (match == null) return val;
  let len = match[0].length - 1;
  if (str.indexOf("e-") != -1) {
    let [num, exp] = str.split("e");
    return +`${fixFloat(num)}e${exp}`;
  }
  return roundDec(val, len);
};
function incrRound(num, incr) {
  return fixFloat(roundDec(fixFloat(num / incr)) * incr);
}
function incrRoundUp(num, incr) {
  return fixFloat(ceil(fixFloat(num / incr)) * incr);
}
function incrRoundDn(num, incr) {
  return fixFloat(floor(fixFloat(num / incr)) * incr);
}
function roundDec(val, dec = 0) {
  if (isInt(val)) return val;
  let p = 10 ** dec;
  let n = val * p * (1 + Number.EPSILON);
  return round(n) / p;
}
var fixedDec = /* @__PURE__ */ new Map();
function guessDec(num) {
  return (("" + num).split(".")[1] || "").length;
}
function genIncrs(base, minExp, maxExp, mults) {
  let incrs = [];
  let multDec = mults.map(guessDec);
  for (let exp = minExp; exp < maxExp; exp++) {
    let expa = abs(exp);
    let mag = roundDec(pow(base, exp), expa);
    for (let i = 0; i < mults.length; i++) {
      let _incr = base == 10 ? +`${mults[i]}e${exp}` : mults[i] * mag;
      let dec = (exp >= 0 ? 0 : expa) + (exp >= multDec[i] ? 0 : multDec[i]);
      let incr = base == 10 ? _incr : roundDec(_incr, dec);
      incrs.push(incr);
      fixedDec.set(incr, dec);
    }
  }
  return incrs;
}
var EMPTY_OBJ = {};
var EMPTY_ARR = [];
var nullNullTuple = [
  null,
  null
];
var isArr = Array.isArray;
var isInt = Number.isInteger;
var isUndef = (v) => v === void 0;
function isStr(v) {
  return typeof v == "string";
}
function isObj(v) {
  let is = false;
  if (v != null) {
    let c = v.constructor;
    is = c == null || c == Object;
  }
  return is;
}
function fastIsObj(v) {
  return v != null && typeof v == "object";
}
var TypedArray = Object.getPrototypeOf(Uint8Array);
var __proto__ = "__proto__";
function copy(o, _isObj = isObj) {
  let out;
  if (isArr(o)) {
    let val = o.find((v) => v != null);
    if (isArr(val) || _isObj(val)) {
      out = Array(o.length);
      for (let i = 0; i < o.length; i++) out[i] = copy(o[i], _isObj);
    } else out = o.slice();
  } else if (o instanceof TypedArray) out = o.slice();
  else if (_isObj(o)) {
    out = {};
    for (let k in o) {
      if (k != __proto__) out[k] = copy(o[k], _isObj);
    }
  } else out = o;
  return out;
}
function assign(targ) {
  let args = arguments;
  for (let i = 1; i < args.length; i++) {
    let src = args[i];
    for (let key in src) {
      if (key != __proto__) {
        if (isObj(targ[key])) assign(targ[key], copy(src[key]));
        else targ[key] = copy(src[key]);
      }
    }
  }
  return targ;
}
var NULL_REMOVE = 0;
var NULL_RETAIN = 1;
var NULL_EXPAND = 2;
function nullExpand(yVals, nullIdxs, alignedLen) {
  for (let i = 0, xi, lastNullIdx = -1; i < nullIdxs.length; i++) {
    let nullIdx = nullIdxs[i];
    if (nullIdx > lastNullIdx) {
      xi = nullIdx - 1;
      while (xi >= 0 && yVals[xi] == null) yVals[xi--] = null;
      xi = nullIdx + 1;
      while (xi < alignedLen && yVals[xi] == null) yVals[lastNullIdx = xi++] = null;
    }
  }
}
function join(tables, nullModes) {
  if (allHeadersSame(tables)) {
    let table = tables[0].slice();
    for (let i = 1; i < tables.length; i++) table.push(...tables[i].slice(1));
    if (!isAsc(table[0])) table = sortCols(table);
    return table;
  }
  let xVals = /* @__PURE__ */ new Set();
  for (let ti = 0; ti < tables.length; ti++) {
    let t = tables[ti];
    let xs = t[0];
    let len = xs.length;
    for (let i = 0; i < len; i++) xVals.add(xs[i]);
  }
  let data = [
    Array.from(xVals).sort((a, b) => a - b)
  ];
  let alignedLen = data[0].length;
  let xIdxs = /* @__PURE__ */ new Map();
  for (let i = 0; i < alignedLen; i++) xIdxs.set(data[0][i], i);
  for (let ti = 0; ti < tables.length; ti++) {
    let t = tables[ti];
    let xs = t[0];
    for (let si = 1; si < t.length; si++) {
      let ys = t[si];
      let yVals = Array(alignedLen).fill(void 0);
      let nullMode = nullModes ? nullModes[ti][si] : NULL_RETAIN;
      let nullIdxs = [];
      for (let i = 0; i < ys.length; i++) {
        let yVal = ys[i];
        let alignedIdx = xIdxs.get(xs[i]);
        if (yVal === null) {
          if (nullMode != NULL_REMOVE) {
            yVals[alignedIdx] = yVal;
            if (nullMode == NULL_EXPAND) nullIdxs.push(alignedIdx);
          }
        } else yVals[alignedIdx] = yVal;
      }
      nullExpand(yVals, nullIdxs, alignedLen);
      data.push(yVals);
    }
  }
  return data;
}
var microTask = typeof queueMicrotask == "undefined" ? (fn) => Promise.resolve().then(fn) : queueMicrotask;
function sortCols(table) {
  let head = table[0];
  let rlen = head.length;
  let idxs = Array(rlen);
  for (let i = 0; i < idxs.length; i++) idxs[i] = i;
  idxs.sort((i0, i1) => head[i0] - head[i1]);
  let table2 = [];
  for (let i = 0; i < table.length; i++) {
    let row = table[i];
    let row2 = Array(rlen);
    for (let j = 0; j < rlen; j++) row2[j] = row[idxs[j]];
    table2.push(row2);
  }
  return table2;
}
function allHeadersSame(tables) {
  let vals0 = tables[0][0];
  let len0 = vals0.length;
  for (let i = 1; i < tables.length; i++) {
    let vals1 = tables[i][0];
    if (vals1.length != len0) return false;
    if (vals1 != vals0) {
      for (let j = 0; j < len0; j++) {
        if (vals1[j] != vals0[j]) return false;
      }
    }
  }
  return true;
}
function isAsc(vals, samples = 100) {
  const len = vals.length;
  if (len <= 1) return true;
  let firstIdx = 0;
  let lastIdx = len - 1;
  while (firstIdx <= lastIdx && vals[firstIdx] == null) firstIdx++;
  while (lastIdx >= firstIdx && vals[lastIdx] == null) lastIdx--;
  if (lastIdx <= firstIdx) return true;
  const stride = max(1, floor((lastIdx - firstIdx + 1) / samples));
  for (let prevVal = vals[firstIdx], i = firstIdx + stride; i <= lastIdx; i += stride) {
    const v = vals[i];
    if (v != null) {
      if (v <= prevVal) return false;
      prevVal = v;
    }
  }
  return true;
}
var months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December"
];
var days = [
  "Sunday",
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday"
];
function slice3(str) {
  return str.slice(0, 3);
}
var days3 = days.map(slice3);
var months3 = months.map(slice3);
var engNames = {
  MMMM: months,
  MMM: months3,
  WWWW: days,
  WWW: days3
};
function zeroPad2(int) {
  return (int < 10 ? "0" : "") + int;
}
function zeroPad3(int) {
  return (int < 10 ? "00" : int < 100 ? "0" : "") + int;
}
var subs = {
  // 2019
  YYYY: (d) => d.getFullYear(),
  // 19
  YY: (d) => (d.getFullYear() + "").slice(2),
  // July
  MMMM: (d, names) => names.MMMM[d.getMonth()],
  // Jul
  MMM: (d, names) => names.MMM[d.getMonth()],
  // 07
  MM: (d) => zeroPad2(d.getMonth() + 1),
  // 7
  M: (d) => d.getMonth() + 1,
  // 09
  DD: (d) => zeroPad2(d.getDate()),
  // 9
  D: (d) => d.getDate(),
  // Monday
  WWWW: (d, names) => names.WWWW[d.getDay()],
  // Mon
  WWW: (d, names) => names.WWW[d.getDay()],
  // 03
  HH: (d) => zeroPad2(d.getHours()),
  // 3
  H: (d) => d.getHours(),
  // 9 (12hr, unpadded)
  h: (d) => {
    let h = d.getHours();
    return h == 0 ? 12 : h > 12 ? h - 12 : h;
  },
  // AM
  AA: (d) => d.getHours() >= 12 ? "PM" : "AM",
  // am
  aa: (d) => d.getHours() >= 12 ? "pm" : "am",
  // a
  a: (d) => d.getHours() >= 12 ? "p" : "a",
  // 09
  mm: (d) => zeroPad2(d.getMinutes()),
  // 9
  m: (d) => d.getMinutes(),
  // 09
  ss: (d) => zeroPad2(d.getSeconds()),
  // 9
  s: (d) => d.getSeconds(),
  // 374
  fff: (d) => zeroPad3(d.getMilliseconds())
};
function fmtDate(tpl, names) {
  names = names || engNames;
  let parts = [];
  let R = /\{([a-z]+)\}|[^{]+/gi, m;
  while (m = R.exec(tpl)) parts.push(m[0][0] == "{" ? subs[m[1]] : m[0]);
  return (d) => {
    let out = "";
    for (let i = 0; i < parts.length; i++) out += typeof parts[i] == "string" ? parts[i] : parts[i](d, names);
    return out;
  };
}
var localTz = new Intl.DateTimeFormat().resolvedOptions().timeZone;
function tzDate(date, tz) {
  let date2;
  if (tz == "UTC" || tz == "Etc/UTC") date2 = new Date(+date + date.getTimezoneOffset() * 6e4);
  else if (tz == localTz) date2 = date;
  else {
    date2 = new Date(date.toLocaleString("en-US", {
      timeZone: tz
    }));
    date2.setMilliseconds(date.getMilliseconds());
  }
  return date2;
}
var onlyWhole = (v) => v % 1 == 0;
var allMults = [
  1,
  2,
  2.5,
  5
];
var decIncrs = genIncrs(10, -32, 0, allMults);
var oneIncrs = genIncrs(10, 0, 32, allMults);
var wholeIncrs = oneIncrs.filter(onlyWhole);
var numIncrs = decIncrs.concat(oneIncrs);
var NL = "\n";
var yyyy = "{YYYY}";
var NLyyyy = NL + yyyy;
var md = "{M}/{D}";
var NLmd = NL + md;
var NLmdyy = NLmd + "/{YY}";
var aa = "{aa}";
var hmm = "{h}:{mm}";
var hmmaa = hmm + aa;
var NLhmmaa = NL + hmmaa;
var ss = ":{ss}";
var _ = null;
function genTimeStuffs(ms) {
  let s = ms * 1e3, m = s * 60, h = m * 60, d = h * 24, mo = d * 30, y = d * 365;
  let subSecIncrs = ms == 1 ? genIncrs(10, 0, 3, allMults).filter(onlyWhole) : genIncrs(10, -3, 0, allMults);
  let timeIncrs = subSecIncrs.concat([
    // minute divisors (# of secs)
    s,
    s * 5,
    s * 10,
    s * 15,
    s * 30,
    // hour divisors (# of mins)
    m,
    m * 5,
    m * 10,
    m * 15,
    m * 30,
    // day divisors (# of hrs)
    h,
    h * 2,
    h * 3,
    h * 4,
    h * 6,
    h * 8,
    h * 12,
    // month divisors TODO: need more?
    d,
    d * 2,
    d * 3,
    d * 4,
    d * 5,
    d * 6,
    d * 7,
    d * 8,
    d * 9,
    d * 10,
    d * 15,
    // year divisors (# months, approx)
    mo,
    mo * 2,
    mo * 3,
    mo * 4,
    mo * 6,
    // century divisors
    y,
    y * 2,
    y * 5,
    y * 10,
    y * 25,
    y * 50,
    y * 100
  ]);
  const _timeAxisStamps = [
    //   tick incr    default          year                    month   day                   hour    min       sec   mode
    [
      y,
      yyyy,
      _,
      _,
      _,
      _,
      _,
      _,
      1
    ],
    [
      d * 28,
      "{MMM}",
      NLyyyy,
      _,
      _,
      _,
      _,
      _,
      1
    ],
    [
      d,
      md,
      NLyyyy,
      _,
      _,
      _,
      _,
      _,
      1
    ],
    [
      h,
      "{h}" + aa,
      NLmdyy,
      _,
      NLmd,
      _,
      _,
      _,
      1
    ],
    [
      m,
      hmmaa,
      NLmdyy,
      _,
      NLmd,
      _,
      _,
      _,
      1
    ],
    [
      s,
      ss,
      NLmdyy + " " + hmmaa,
      _,
      NLmd + " " + hmmaa,
      _,
      NLhmmaa,
      _,
      1
    ],
    [
      ms,
      ss + ".{fff}",
      NLmdyy + " " + hmmaa,
      _,
      NLmd + " " + hmmaa,
      _,
      NLhmmaa,
      _,
      1
    ]
  ];
  function timeAxisSplits(tzDate2) {
    return (self, axisIdx, scaleMin, scaleMax, foundIncr, foundSpace) => {
      let splits = [];
      let isYr = foundIncr >= y;
      let isMo = foundIncr >= mo && foundIncr < y;
      let minDate = tzDate2(scaleMin);
      let minDateTs = roundDec(minDate * ms, 3);
      let minMin = mkDate(minDate.getFullYear(), isYr ? 0 : minDate.getMonth(), isMo || isYr ? 1 : minDate.getDate());
      let minMinTs = roundDec(minMin * ms, 3);
      if (isMo || isYr) {
        let moIncr = isMo ? foundIncr / mo : 0;
        let yrIncr = isYr ? foundIncr / y : 0;
        let split = minDateTs == minMinTs ? minDateTs : roundDec(mkDate(minMin.getFullYear() + yrIncr, minMin.getMonth() + moIncr, 1) * ms, 3);
        let splitDate = new Date(round(split / ms));
        let baseYear = splitDate.getFullYear();
        let baseMonth = splitDate.getMonth();
        for (let i = 0; split <= scaleMax; i++) {
          let next = mkDate(baseYear + yrIncr * i, baseMonth + moIncr * i, 1);
          let offs = next - tzDate2(roundDec(next * ms, 3));
          split = roundDec((+next + offs) * ms, 3);
          if (split <= scaleMax) splits.push(split);
        }
      } else {
        let incr0 = foundIncr >= d ? d : foundIncr;
        let tzOffset = floor(scaleMin) - floor(minDateTs);
        let split = minMinTs + tzOffset + incrRoundUp(minDateTs - minMinTs, incr0);
        splits.push(split);
        let date0 = tzDate2(split);
        let prevHour = date0.getHours() + date0.getMinutes() / m + date0.getSeconds() / h;
        let incrHours = foundIncr / h;
        let minSpace = self.axes[axisIdx]._space;
        let pctSpace = foundSpace / minSpace;
        while (1) {
          split = roundDec(split + foundIncr, ms == 1 ? 0 : 3);
          if (split > scaleMax) break;
          if (incrHours > 1) {
            let expectedHour = floor(roundDec(prevHour + incrHours, 6)) % 24;
            let splitDate = tzDate2(split);
            let actualHour = splitDate.getHours();
            let dstShift = actualHour - expectedHour;
            if (dstShift > 1) dstShift = -1;
            split -= dstShift * h;
            prevHour = (prevHour + incrHours) % 24;
            let prevSplit = splits[splits.length - 1];
            let pctIncr = roundDec((split - prevSplit) / foundIncr, 3);
            if (pctIncr * pctSpace >= 0.7) splits.push(split);
          } else splits.push(split);
        }
      }
      return splits;
    };
  }
  return [
    timeIncrs,
    _timeAxisStamps,
    timeAxisSplits
  ];
}
var [timeIncrsMs, _timeAxisStampsMs, timeAxisSplitsMs] = genTimeStuffs(1);
var [timeIncrsS, _timeAxisStampsS, timeAxisSplitsS] = genTimeStuffs(1e-3);
genIncrs(2, -53, 53, [
  1
]);
function timeAxisStamps(stampCfg, fmtDate2) {
  return stampCfg.map((s) => s.map((v, i) => i == 0 || i == 8 || v == null ? v : fmtDate2(i == 1 || s[8] == 0 ? v : s[1] + v)));
}
function timeAxisVals(tzDate2, stamps) {
  return (self, splits, axisIdx, foundSpace, foundIncr) => {
    let s = stamps.find((s2) => foundIncr >= s2[0]) || stamps[stamps.length - 1];
    let prevYear;
    let prevMnth;
    let prevDate;
    let prevHour;
    let prevMins;
    let prevSecs;
    return splits.map((split) => {
      let date = tzDate2(split);
      let newYear = date.getFullYear();
      let newMnth = date.getMonth();
      let newDate = date.getDate();
      let newHour = date.getHours();
      let newMins = date.getMinutes();
      let newSecs = date.getSeconds();
      let stamp = newYear != prevYear && s[2] || newMnth != prevMnth && s[3] || newDate != prevDate && s[4] || newHour != prevHour && s[5] || newMins != prevMins && s[6] || newSecs != prevSecs && s[7] || s[1];
      prevYear = newYear;
      prevMnth = newMnth;
      prevDate = newDate;
      prevHour = newHour;
      prevMins = newMins;
      prevSecs = newSecs;
      return stamp(date);
    });
  };
}
function timeAxisVal(tzDate2, dateTpl) {
  let stamp = fmtDate(dateTpl);
  return (self, splits, axisIdx, foundSpace, foundIncr) => splits.map((split) => stamp(tzDate2(split)));
}
function mkDate(y, m, d) {
  return new Date(y, m, d);
}
function timeSeriesStamp(stampCfg, fmtDate2) {
  return fmtDate2(stampCfg);
}
var _timeSeriesStamp = "{YYYY}-{MM}-{DD} {h}:{mm}{aa}";
function timeSeriesVal(tzDate2, stamp) {
  return (self, val, seriesIdx, dataIdx) => dataIdx == null ? LEGEND_DISP : stamp(tzDate2(val));
}
function legendStroke(self, seriesIdx) {
  let s = self.series[seriesIdx];
  return s.width ? s.stroke(self, seriesIdx) : s.points.width ? s.points.stroke(self, seriesIdx) : null;
}
function legendFill(self, seriesIdx) {
  return self.series[seriesIdx].fill(self, seriesIdx);
}
var legendOpts = {
  show: true,
  live: true,
  isolate: false,
  mount: noop,
  markers: {
    show: true,
    width: 2,
    stroke: legendStroke,
    fill: legendFill,
    dash: "solid"
  },
  idx: null,
  idxs: null,
  values: []
};
function cursorPointShow(self, si) {
  let o = self.cursor.points;
  let pt = placeDiv();
  let size = o.size(self, si);
  setStylePx(pt, WIDTH, size);
  setStylePx(pt, HEIGHT, size);
  let mar = size / -2;
  setStylePx(pt, "marginLeft", mar);
  setStylePx(pt, "marginTop", mar);
  let width = o.width(self, si, size);
  width && setStylePx(pt, "borderWidth", width);
  return pt;
}
function cursorPointFill(self, si) {
  let sp = self.series[si].points;
  return sp._fill || sp._stroke;
}
function cursorPointStroke(self, si) {
  let sp = self.series[si].points;
  return sp._stroke || sp._fill;
}
function cursorPointSize(self, si) {
  let sp = self.series[si].points;
  return sp.size;
}
var moveTuple = [
  0,
  0
];
function cursorMove(self, mouseLeft1, mouseTop1) {
  moveTuple[0] = mouseLeft1;
  moveTuple[1] = mouseTop1;
  return moveTuple;
}
function filtBtn0(self, targ, handle, onlyTarg = true) {
  return (e) => {
    e.button == 0 && (!onlyTarg || e.target == targ) && handle(e);
  };
}
function filtTarg(self, targ, handle, onlyTarg = true) {
  return (e) => {
    (!onlyTarg || e.target == targ) && handle(e);
  };
}
var cursorOpts = {
  show: true,
  x: true,
  y: true,
  lock: false,
  move: cursorMove,
  points: {
    one: false,
    show: cursorPointShow,
    size: cursorPointSize,
    width: 0,
    stroke: cursorPointStroke,
    fill: cursorPointFill
  },
  bind: {
    mousedown: filtBtn0,
    mouseup: filtBtn0,
    click: filtBtn0,
    dblclick: filtBtn0,
    mousemove: filtTarg,
    mouseleave: filtTarg,
    mouseenter: filtTarg
  },
  drag: {
    setScale: true,
    x: true,
    y: false,
    dist: 0,
    uni: null,
    click: (self, e) => {
      e.stopPropagation();
      e.stopImmediatePropagation();
    },
    _x: false,
    _y: false
  },
  focus: {
    dist: (self, seriesIdx, dataIdx, valPos, curPos) => valPos - curPos,
    prox: -1,
    bias: 0
  },
  hover: {
    skip: [
      void 0
    ],
    prox: null,
    bias: 0
  },
  left: -10,
  top: -10,
  idx: null,
  dataIdx: null,
  idxs: null,
  event: null
};
var axisLines = {
  show: true,
  stroke: "rgba(0,0,0,0.07)",
  width: 2
};
var grid = assign({}, axisLines, {
  filter: retArg1
});
var ticks = assign({}, grid, {
  size: 10
});
var border = assign({}, axisLines, {
  show: false
});
var font = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif, "Apple Color Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Noto Color Emoji"';
var labelFont = "bold " + font;
var lineGap = 1.5;
var xAxisOpts = {
  show: true,
  scale: "x",
  stroke: hexBlack,
  space: 50,
  gap: 5,
  alignTo: 1,
  size: 50,
  labelGap: 0,
  labelSize: 30,
  labelFont,
  side: 2,
  //	class: "x-vals",
  //	incrs: timeIncrs,
  //	values: timeVals,
  //	filter: retArg1,
  grid,
  ticks,
  border,
  font,
  lineGap,
  rotate: 0
};
var numSeriesLabel = "Value";
var timeSeriesLabel = "Time";
var xSeriesOpts = {
  show: true,
  scale: "x",
  auto: false,
  sorted: 1,
  //	label: "Time",
  //	value: v => stamp(new Date(v * 1e3)),
  // internal caches
  min: inf,
  max: -inf,
  idxs: []
};
function numAxisVals(self, splits, axisIdx, foundSpace, foundIncr) {
  return splits.map((v) => v == null ? "" : fmtNum(v));
}
function numAxisSplits(self, axisIdx, scaleMin, scaleMax, foundIncr, foundSpace, forceMin) {
  let splits = [];
  let numDec = fixedDec.get(foundIncr) || 0;
  scaleMin = forceMin ? scaleMin : roundDec(incrRoundUp(scaleMin, foundIncr), numDec);
  for (let val = scaleMin; val <= scaleMax; val = roundDec(val + foundIncr, numDec)) splits.push(Object.is(val, -0) ? 0 : val);
  return splits;
}
function logAxisSplits(self, axisIdx, scaleMin, scaleMax, foundIncr, foundSpace, forceMin) {
  const splits = [];
  const logBase = self.scales[self.axes[axisIdx].scale].log;
  const logFn = logBase == 10 ? log10 : log2;
  const exp = floor(logFn(scaleMin));
  foundIncr = pow(logBase, exp);
  if (logBase == 10) foundIncr = numIncrs[closestIdx(foundIncr, numIncrs)];
  let split = scaleMin;
  let nextMagIncr = foundIncr * logBase;
  if (logBase == 10) nextMagIncr = numIncrs[closestIdx(nextMagIncr, numIncrs)];
  do {
    splits.push(split);
    split = split + foundIncr;
    if (logBase == 10 && !fixedDec.has(split)) split = roundDec(split, fixedDec.get(foundIncr));
    if (split >= nextMagIncr) {
      foundIncr = split;
      nextMagIncr = foundIncr * logBase;
      if (logBase == 10) nextMagIncr = numIncrs[closestIdx(nextMagIncr, numIncrs)];
    }
  } while (split <= scaleMax);
  return splits;
}
function asinhAxisSplits(self, axisIdx, scaleMin, scaleMax, foundIncr, foundSpace, forceMin) {
  let sc = self.scales[self.axes[axisIdx].scale];
  let linthresh = sc.asinh;
  let posSplits = scaleMax > linthresh ? logAxisSplits(self, axisIdx, max(linthresh, scaleMin), scaleMax, foundIncr) : [
    linthresh
  ];
  let zero = scaleMax >= 0 && scaleMin <= 0 ? [
    0
  ] : [];
  let negSplits = scaleMin < -linthresh ? logAxisSplits(self, axisIdx, max(linthresh, -scaleMax), -scaleMin, foundIncr) : [
    linthresh
  ];
  return negSplits.reverse().map((v) => -v).concat(zero, posSplits);
}
var RE_ALL = /./;
var RE_12357 = /[12357]/;
var RE_125 = /[125]/;
var RE_1 = /1/;
var _filt = (splits, distr, re, keepMod) => splits.map((v, i) => distr == 4 && v == 0 || i % keepMod == 0 && re.test(v.toExponential()[v < 0 ? 1 : 0]) ? v : null);
function log10AxisValsFilt(self, splits, axisIdx, foundSpace, foundIncr) {
  let axis = self.axes[axisIdx];
  let scaleKey = axis.scale;
  let sc = self.scales[scaleKey];
  let valToPos = self.valToPos;
  let minSpace = axis._space;
  let _10 = valToPos(10, scaleKey);
  let re = valToPos(9, scaleKey) - _10 >= minSpace ? RE_ALL : valToPos(7, scaleKey) - _10 >= minSpace ? RE_12357 : valToPos(5, scaleKey) - _10 >= minSpace ? RE_125 : RE_1;
  if (re == RE_1) {
    let magSpace = abs(valToPos(1, scaleKey) - _10);
    if (magSpace < minSpace) return _filt(splits.slice().reverse(), sc.distr, re, ceil(minSpace / magSpace)).reverse();
  }
  return _filt(splits, sc.distr, re, 1);
}
function log2AxisValsFilt(self, splits, axisIdx, foundSpace, foundIncr) {
  let axis = self.axes[axisIdx];
  let scaleKey = axis.scale;
  let minSpace = axis._space;
  let valToPos = self.valToPos;
  let magSpace = abs(valToPos(1, scaleKey) - valToPos(2, scaleKey));
  if (magSpace < minSpace) return _filt(splits.slice().reverse(), 3, RE_ALL, ceil(minSpace / magSpace)).reverse();
  return splits;
}
function numSeriesVal(self, val, seriesIdx, dataIdx) {
  return dataIdx == null ? LEGEND_DISP : val == null ? "" : fmtNum(val);
}
var yAxisOpts = {
  show: true,
  scale: "y",
  stroke: hexBlack,
  space: 30,
  gap: 5,
  alignTo: 1,
  size: 50,
  labelGap: 0,
  labelSize: 30,
  labelFont,
  side: 3,
  //	class: "y-vals",
  //	incrs: numIncrs,
  //	values: (vals, space) => vals,
  //	filter: retArg1,
  grid,
  ticks,
  border,
  font,
  lineGap,
  rotate: 0
};
function ptDia(width, mult) {
  let dia = 3 + (width || 1) * 2;
  return roundDec(dia * mult, 3);
}
function seriesPointsShow(self, si) {
  let { scale, idxs } = self.series[0];
  let xData = self._data[0];
  let p0 = self.valToPos(xData[idxs[0]], scale, true);
  let p1 = self.valToPos(xData[idxs[1]], scale, true);
  let dim = abs(p1 - p0);
  let s = self.series[si];
  let maxPts = dim / (s.points.space * pxRatio);
  return idxs[1] - idxs[0] <= maxPts;
}
var facet = {
  scale: null,
  auto: true,
  sorted: 0,
  // internal caches
  min: inf,
  max: -inf
};
var gaps = (self, seriesIdx, idx0, idx1, nullGaps) => nullGaps;
var xySeriesOpts = {
  show: true,
  auto: true,
  sorted: 0,
  gaps,
  alpha: 1,
  facets: [
    assign({}, facet, {
      scale: "x"
    }),
    assign({}, facet, {
      scale: "y"
    })
  ]
};
var ySeriesOpts = {
  scale: "y",
  auto: true,
  sorted: 0,
  show: true,
  spanGaps: false,
  gaps,
  alpha: 1,
  points: {
    show: seriesPointsShow,
    filter: null
  },
  //	label: "Value",
  //	value: v => v,
  values: null,
  // internal caches
  min: inf,
  max: -inf,
  idxs: [],
  path: null,
  clip: null
};
function clampScale(self, val, scaleMin, scaleMax, scaleKey) {
  return scaleMin / 10;
}
var xScaleOpts = {
  time: FEAT_TIME,
  auto: true,
  distr: 1,
  log: 10,
  asinh: 1,
  min: null,
  max: null,
  dir: 1,
  ori: 0
};
var yScaleOpts = assign({}, xScaleOpts, {
  time: false,
  ori: 1
});
var syncs = {};
function _sync(key, opts) {
  let s = syncs[key];
  if (!s) {
    s = {
      key,
      plots: [],
      sub(plot) {
        s.plots.push(plot);
      },
      unsub(plot) {
        s.plots = s.plots.filter((c) => c != plot);
      },
      pub(type, self, x, y, w, h, i) {
        for (let j = 0; j < s.plots.length; j++) s.plots[j] != self && s.plots[j].pub(type, self, x, y, w, h, i);
      }
    };
    if (key != null) syncs[key] = s;
  }
  return s;
}
var BAND_CLIP_FILL = 1 << 0;
var BAND_CLIP_STROKE = 1 << 1;
function orient(u, seriesIdx, cb) {
  const mode = u.mode;
  const series = u.series[seriesIdx];
  const data = mode == 2 ? u._data[seriesIdx] : u._data;
  const scales = u.scales;
  const bbox = u.bbox;
  let dx = data[0], dy = mode == 2 ? data[1] : data[seriesIdx], sx = mode == 2 ? scales[series.facets[0].scale] : scales[u.series[0].scale], sy = mode == 2 ? scales[series.facets[1].scale] : scales[series.scale], l = bbox.left, t = bbox.top, w = bbox.width, h = bbox.height, H = u.valToPosH, V = u.valToPosV;
  return sx.ori == 0 ? cb(series, dx, dy, sx, sy, H, V, l, t, w, h, moveToH, lineToH, rectH, arcH, bezierCurveToH) : cb(series, dx, dy, sx, sy, V, H, t, l, h, w, moveToV, lineToV, rectV, arcV, bezierCurveToV);
}
function bandFillClipDirs(self, seriesIdx) {
  let fillDir = 0;
  let clipDirs = 0;
  let bands = ifNull(self.bands, EMPTY_ARR);
  for (let i = 0; i < bands.length; i++) {
    let b = bands[i];
    if (b.series[0] == seriesIdx) fillDir = b.dir;
    else if (b.series[1] == seriesIdx) {
      if (b.dir == 1) clipDirs |= 1;
      else clipDirs |= 2;
    }
  }
  return [
    fillDir,
    clipDirs == 1 ? -1 : clipDirs == 2 ? 1 : clipDirs == 3 ? 2 : 0
  ];
}
function seriesFillTo(self, seriesIdx, dataMin, dataMax, bandFillDir) {
  let mode = self.mode;
  let series = self.series[seriesIdx];
  let scaleKey = mode == 2 ? series.facets[1].scale : series.scale;
  let scale = self.scales[scaleKey];
  return bandFillDir == -1 ? scale.min : bandFillDir == 1 ? scale.max : scale.distr == 3 ? scale.dir == 1 ? scale.min : scale.max : 0;
}
function clipBandLine(self, seriesIdx, idx0, idx1, strokePath, clipDir) {
  return orient(self, seriesIdx, (series, dataX, dataY, scaleX, scaleY, valToPosX, valToPosY, xOff, yOff, xDim, yDim) => {
    let pxRound = series.pxRound;
    const dir = scaleX.dir * (scaleX.ori == 0 ? 1 : -1);
    const lineTo = scaleX.ori == 0 ? lineToH : lineToV;
    let frIdx, toIdx;
    if (dir == 1) {
      frIdx = idx0;
      toIdx = idx1;
    } else {
      frIdx = idx1;
      toIdx = idx0;
    }
    let x0 = pxRound(valToPosX(dataX[frIdx], scaleX, xDim, xOff));
    let y0 = pxRound(valToPosY(dataY[frIdx], scaleY, yDim, yOff));
    let x1 = pxRound(valToPosX(dataX[toIdx], scaleX, xDim, xOff));
    let yLimit = pxRound(valToPosY(clipDir == 1 ? scaleY.max : scaleY.min, scaleY, yDim, yOff));
    let clip = new Path2D(strokePath);
    lineTo(clip, x1, yLimit);
    lineTo(clip, x0, yLimit);
    lineTo(clip, x0, y0);
    return clip;
  });
}
function clipGaps(gaps2, ori, plotLft, plotTop, plotWid, plotHgt) {
  let clip = null;
  if (gaps2.length > 0) {
    clip = new Path2D();
    const rect2 = ori == 0 ? rectH : rectV;
    let prevGapEnd = plotLft;
    for (let i = 0; i < gaps2.length; i++) {
      let g = gaps2[i];
      if (g[1] > g[0]) {
        let w2 = g[0] - prevGapEnd;
        w2 > 0 && rect2(clip, prevGapEnd, plotTop, w2, plotTop + plotHgt);
        prevGapEnd = g[1];
      }
    }
    let w = plotLft + plotWid - prevGapEnd;
    let maxStrokeWidth = 10;
    w > 0 && rect2(clip, prevGapEnd, plotTop - maxStrokeWidth / 2, w, plotTop + plotHgt + maxStrokeWidth);
  }
  return clip;
}
function addGap(gaps2, fromX, toX) {
  let prevGap = gaps2[gaps2.length - 1];
  if (prevGap && prevGap[0] == fromX) prevGap[1] = toX;
  else gaps2.push([
    fromX,
    toX
  ]);
}
function findGaps(xs, ys, idx0, idx1, dir, pixelForX, align) {
  let gaps2 = [];
  let len = xs.length;
  for (let i = dir == 1 ? idx0 : idx1; i >= idx0 && i <= idx1; i += dir) {
    let yVal = ys[i];
    if (yVal === null) {
      let fr = i, to = i;
      if (dir == 1) {
        while (++i <= idx1 && ys[i] === null) to = i;
      } else {
        while (--i >= idx0 && ys[i] === null) to = i;
      }
      let frPx = pixelForX(xs[fr]);
      let toPx = to == fr ? frPx : pixelForX(xs[to]);
      let fri2 = fr - dir;
      let frPx2 = align <= 0 && fri2 >= 0 && fri2 < len ? pixelForX(xs[fri2]) : frPx;
      frPx = frPx2;
      let toi2 = to + dir;
      let toPx2 = align >= 0 && toi2 >= 0 && toi2 < len ? pixelForX(xs[toi2]) : toPx;
      toPx = toPx2;
      if (toPx >= frPx) gaps2.push([
        frPx,
        toPx
      ]);
    }
  }
  return gaps2;
}
function pxRoundGen(pxAlign) {
  return pxAlign == 0 ? retArg0 : pxAlign == 1 ? round : (v) => incrRound(v, pxAlign);
}
function rect(ori) {
  let moveTo = ori == 0 ? moveToH : moveToV;
  let arcTo = ori == 0 ? (p, x1, y1, x2, y2, r) => {
    p.arcTo(x1, y1, x2, y2, r);
  } : (p, y1, x1, y2, x2, r) => {
    p.arcTo(x1, y1, x2, y2, r);
  };
  let rect2 = ori == 0 ? (p, x, y, w, h) => {
    p.rect(x, y, w, h);
  } : (p, y, x, h, w) => {
    p.rect(x, y, w, h);
  };
  return (p, x, y, w, h, endRad = 0, baseRad = 0) => {
    if (endRad == 0 && baseRad == 0) rect2(p, x, y, w, h);
    else {
      endRad = min(endRad, w / 2, h / 2);
      baseRad = min(baseRad, w / 2, h / 2);
      moveTo(p, x + endRad, y);
      arcTo(p, x + w, y, x + w, y + h, endRad);
      arcTo(p, x + w, y + h, x, y + h, baseRad);
      arcTo(p, x, y + h, x, y, baseRad);
      arcTo(p, x, y, x + w, y, endRad);
      p.closePath();
    }
  };
}
var moveToH = (p, x, y) => {
  p.moveTo(x, y);
};
var moveToV = (p, y, x) => {
  p.moveTo(x, y);
};
var lineToH = (p, x, y) => {
  p.lineTo(x, y);
};
var lineToV = (p, y, x) => {
  p.lineTo(x, y);
};
var rectH = rect(0);
var rectV = rect(1);
var arcH = (p, x, y, r, startAngle, endAngle) => {
  p.arc(x, y, r, startAngle, endAngle);
};
var arcV = (p, y, x, r, startAngle, endAngle) => {
  p.arc(x, y, r, startAngle, endAngle);
};
var bezierCurveToH = (p, bp1x, bp1y, bp2x, bp2y, p2x, p2y) => {
  p.bezierCurveTo(bp1x, bp1y, bp2x, bp2y, p2x, p2y);
};
var bezierCurveToV = (p, bp1y, bp1x, bp2y, bp2x, p2y, p2x) => {
  p.bezierCurveTo(bp1x, bp1y, bp2x, bp2y, p2x, p2y);
};
function points(opts) {
  return (u, seriesIdx, idx0, idx1, filtIdxs) => {
    return orient(u, seriesIdx, (series, dataX, dataY, scaleX, scaleY, valToPosX, valToPosY, xOff, yOff, xDim, yDim) => {
      let { pxRound, points: points2 } = series;
      let moveTo, arc;
      if (scaleX.ori == 0) {
        moveTo = moveToH;
        arc = arcH;
      } else {
        moveTo = moveToV;
        arc = arcV;
      }
      const width = roundDec(points2.width * pxRatio, 3);
      let rad = (points2.size - points2.width) / 2 * pxRatio;
      let dia = roundDec(rad * 2, 3);
      let fill = new Path2D();
      let clip = new Path2D();
      let { left: lft, top, width: wid, height: hgt } = u.bbox;
      rectH(clip, lft - dia, top - dia, wid + dia * 2, hgt + dia * 2);
      const drawPoint = (pi) => {
        if (dataY[pi] != null) {
          let x = pxRound(valToPosX(dataX[pi], scaleX, xDim, xOff));
          let y = pxRound(valToPosY(dataY[pi], scaleY, yDim, yOff));
          moveTo(fill, x + rad, y);
          arc(fill, x, y, rad, 0, PI * 2);
        }
      };
      if (filtIdxs) filtIdxs.forEach(drawPoint);
      else {
        for (let pi = idx0; pi <= idx1; pi++) drawPoint(pi);
      }
      return {
        stroke: width > 0 ? fill : null,
        fill,
        clip,
        flags: BAND_CLIP_FILL | BAND_CLIP_STROKE
      };
    });
  };
}
function _drawAcc(lineTo) {
  return (stroke, accX, minY, maxY, inY, outY) => {
    if (minY != maxY) {
      if (inY != minY && outY != minY) lineTo(stroke, accX, minY);
      if (inY != maxY && outY != maxY) lineTo(stroke, accX, maxY);
      lineTo(stroke, accX, outY);
    }
  };
}
var drawAccH = _drawAcc(lineToH);
var drawAccV = _drawAcc(lineToV);
function linear(opts) {
  const alignGaps = ifNull(opts?.alignGaps, 0);
  return (u, seriesIdx, idx0, idx1) => {
    return orient(u, seriesIdx, (series, dataX, dataY, scaleX, scaleY, valToPosX, valToPosY, xOff, yOff, xDim, yDim) => {
      [idx0, idx1] = nonNullIdxs(dataY, idx0, idx1);
      let pxRound = series.pxRound;
      let pixelForX = (val) => pxRound(valToPosX(val, scaleX, xDim, xOff));
      let pixelForY = (val) => pxRound(valToPosY(val, scaleY, yDim, yOff));
      let lineTo, drawAcc;
      if (scaleX.ori == 0) {
        lineTo = lineToH;
        drawAcc = drawAccH;
      } else {
        lineTo = lineToV;
        drawAcc = drawAccV;
      }
      const dir = scaleX.dir * (scaleX.ori == 0 ? 1 : -1);
      const _paths = {
        stroke: new Path2D(),
        fill: null,
        clip: null,
        band: null,
        gaps: null,
        flags: BAND_CLIP_FILL
      };
      const stroke = _paths.stroke;
      let hasGap = false;
      const decimate = idx1 - idx0 >= xDim * 4;
      if (decimate) {
        let xForPixel = (pos) => u.posToVal(pos, scaleX.key, true);
        let minY = null, maxY = null, inY, outY, drawnAtX;
        let accX = pixelForX(dataX[dir == 1 ? idx0 : idx1]);
        let idx0px = pixelForX(dataX[idx0]);
        let idx1px = pixelForX(dataX[idx1]);
        let nextAccXVal = xForPixel(dir == 1 ? idx0px + 1 : idx1px - 1);
        for (let i = dir == 1 ? idx0 : idx1; i >= idx0 && i <= idx1; i += dir) {
          let xVal = dataX[i];
          let reuseAccX = dir == 1 ? xVal < nextAccXVal : xVal > nextAccXVal;
          let x = reuseAccX ? accX : pixelForX(xVal);
          let yVal = dataY[i];
          if (x == accX) {
            if (yVal != null) {
              outY = yVal;
              if (minY == null) {
                lineTo(stroke, x, pixelForY(outY));
                inY = minY = maxY = outY;
              } else {
                if (outY < minY) minY = outY;
                else if (outY > maxY) maxY = outY;
              }
            } else {
              if (yVal === null) hasGap = true;
            }
          } else {
            if (minY != null) drawAcc(stroke, accX, pixelForY(minY), pixelForY(maxY), pixelForY(inY), pixelForY(outY));
            if (yVal != null) {
              outY = yVal;
              lineTo(stroke, x, pixelForY(outY));
              minY = maxY = inY = outY;
            } else {
              minY = maxY = null;
              if (yVal === null) hasGap = true;
            }
            accX = x;
            nextAccXVal = xForPixel(accX + dir);
          }
        }
        if (minY != null && minY != maxY && drawnAtX != accX) drawAcc(stroke, accX, pixelForY(minY), pixelForY(maxY), pixelForY(inY), pixelForY(outY));
      } else {
        for (let i = dir == 1 ? idx0 : idx1; i >= idx0 && i <= idx1; i += dir) {
          let yVal = dataY[i];
          if (yVal === null) hasGap = true;
          else if (yVal != null) lineTo(stroke, pixelForX(dataX[i]), pixelForY(yVal));
        }
      }
      let [bandFillDir, bandClipDir] = bandFillClipDirs(u, seriesIdx);
      if (series.fill != null || bandFillDir != 0) {
        let fill = _paths.fill = new Path2D(stroke);
        let fillToVal = series.fillTo(u, seriesIdx, series.min, series.max, bandFillDir);
        let fillToY = pixelForY(fillToVal);
        let frX = pixelForX(dataX[idx0]);
        let toX = pixelForX(dataX[idx1]);
        if (dir == -1) [toX, frX] = [
          frX,
          toX
        ];
        lineTo(fill, toX, fillToY);
        lineTo(fill, frX, fillToY);
      }
      if (!series.spanGaps) {
        let gaps2 = [];
        hasGap && gaps2.push(...findGaps(dataX, dataY, idx0, idx1, dir, pixelForX, alignGaps));
        _paths.gaps = gaps2 = series.gaps(u, seriesIdx, idx0, idx1, gaps2);
        _paths.clip = clipGaps(gaps2, scaleX.ori, xOff, yOff, xDim, yDim);
      }
      if (bandClipDir != 0) {
        _paths.band = bandClipDir == 2 ? [
          clipBandLine(u, seriesIdx, idx0, idx1, stroke, -1),
          clipBandLine(u, seriesIdx, idx0, idx1, stroke, 1)
        ] : clipBandLine(u, seriesIdx, idx0, idx1, stroke, bandClipDir);
      }
      return _paths;
    });
  };
}
function stepped(opts) {
  const align = ifNull(opts.align, 1);
  const ascDesc = ifNull(opts.ascDesc, false);
  const alignGaps = ifNull(opts.alignGaps, 0);
  const extend = ifNull(opts.extend, false);
  return (u, seriesIdx, idx0, idx1) => {
    return orient(u, seriesIdx, (series, dataX, dataY, scaleX, scaleY, valToPosX, valToPosY, xOff, yOff, xDim, yDim) => {
      [idx0, idx1] = nonNullIdxs(dataY, idx0, idx1);
      let pxRound = series.pxRound;
      let { left, width } = u.bbox;
      let pixelForX = (val) => pxRound(valToPosX(val, scaleX, xDim, xOff));
      let pixelForY = (val) => pxRound(valToPosY(val, scaleY, yDim, yOff));
      let lineTo = scaleX.ori == 0 ? lineToH : lineToV;
      const _paths = {
        stroke: new Path2D(),
        fill: null,
        clip: null,
        band: null,
        gaps: null,
        flags: BAND_CLIP_FILL
      };
      const stroke = _paths.stroke;
      const dir = scaleX.dir * (scaleX.ori == 0 ? 1 : -1);
      let prevYPos = pixelForY(dataY[dir == 1 ? idx0 : idx1]);
      let firstXPos = pixelForX(dataX[dir == 1 ? idx0 : idx1]);
      let prevXPos = firstXPos;
      let firstXPosExt = firstXPos;
      if (extend && align == -1) {
        firstXPosExt = left;
        lineTo(stroke, firstXPosExt, prevYPos);
      }
      lineTo(stroke, firstXPos, prevYPos);
      for (let i = dir == 1 ? idx0 : idx1; i >= idx0 && i <= idx1; i += dir) {
        let yVal1 = dataY[i];
        if (yVal1 == null) continue;
        let x1 = pixelForX(dataX[i]);
        let y1 = pixelForY(yVal1);
        if (align == 1) lineTo(stroke, x1, prevYPos);
        else lineTo(stroke, prevXPos, y1);
        lineTo(stroke, x1, y1);
        prevYPos = y1;
        prevXPos = x1;
      }
      let prevXPosExt = prevXPos;
      if (extend && align == 1) {
        prevXPosExt = left + width;
        lineTo(stroke, prevXPosExt, prevYPos);
      }
      let [bandFillDir, bandClipDir] = bandFillClipDirs(u, seriesIdx);
      if (series.fill != null || bandFillDir != 0) {
        let fill = _paths.fill = new Path2D(stroke);
        let fillTo = series.fillTo(u, seriesIdx, series.min, series.max, bandFillDir);
        let fillToY = pixelForY(fillTo);
        lineTo(fill, prevXPosExt, fillToY);
        lineTo(fill, firstXPosExt, fillToY);
      }
      if (!series.spanGaps) {
        let gaps2 = [];
        gaps2.push(...findGaps(dataX, dataY, idx0, idx1, dir, pixelForX, alignGaps));
        let halfStroke = series.width * pxRatio / 2;
        let startsOffset = ascDesc || align == 1 ? halfStroke : -halfStroke;
        let endsOffset = ascDesc || align == -1 ? -halfStroke : halfStroke;
        gaps2.forEach((g) => {
          g[0] += startsOffset;
          g[1] += endsOffset;
        });
        _paths.gaps = gaps2 = series.gaps(u, seriesIdx, idx0, idx1, gaps2);
        _paths.clip = clipGaps(gaps2, scaleX.ori, xOff, yOff, xDim, yDim);
      }
      if (bandClipDir != 0) {
        _paths.band = bandClipDir == 2 ? [
          clipBandLine(u, seriesIdx, idx0, idx1, stroke, -1),
          clipBandLine(u, seriesIdx, idx0, idx1, stroke, 1)
        ] : clipBandLine(u, seriesIdx, idx0, idx1, stroke, bandClipDir);
      }
      return _paths;
    });
  };
}
function findColWidth(dataX, dataY, valToPosX, scaleX, xDim, xOff, colWid = inf) {
  if (dataX.length > 1) {
    let prevIdx = null;
    for (let i = 0, minDelta = Infinity; i < dataX.length; i++) {
      if (dataY[i] !== void 0) {
        if (prevIdx != null) {
          let delta = abs(dataX[i] - dataX[prevIdx]);
          if (delta < minDelta) {
            minDelta = delta;
            colWid = abs(valToPosX(dataX[i], scaleX, xDim, xOff) - valToPosX(dataX[prevIdx], scaleX, xDim, xOff));
          }
        }
        prevIdx = i;
      }
    }
  }
  return colWid;
}
function bars(opts) {
  opts = opts || EMPTY_OBJ;
  const size = ifNull(opts.size, [
    0.6,
    inf,
    1
  ]);
  const align = opts.align || 0;
  const _extraGap = opts.gap || 0;
  let ro = opts.radius;
  ro = // [valueRadius, baselineRadius]
  ro == null ? [
    0,
    0
  ] : typeof ro == "number" ? [
    ro,
    0
  ] : ro;
  const radiusFn = fnOrSelf(ro);
  const gapFactor = 1 - size[0];
  const _maxWidth = ifNull(size[1], inf);
  const _minWidth = ifNull(size[2], 1);
  const disp = ifNull(opts.disp, EMPTY_OBJ);
  const _each = ifNull(opts.each, (_2) => {
  });
  const { fill: dispFills, stroke: dispStrokes } = disp;
  return (u, seriesIdx, idx0, idx1) => {
    return orient(u, seriesIdx, (series, dataX, dataY, scaleX, scaleY, valToPosX, valToPosY, xOff, yOff, xDim, yDim) => {
      let pxRound = series.pxRound;
      let _align = align;
      let extraGap = _extraGap * pxRatio;
      let maxWidth = _maxWidth * pxRatio;
      let minWidth = _minWidth * pxRatio;
      let valRadius, baseRadius;
      if (scaleX.ori == 0) [valRadius, baseRadius] = radiusFn(u, seriesIdx);
      else [baseRadius, valRadius] = radiusFn(u, seriesIdx);
      const _dirX = scaleX.dir * (scaleX.ori == 0 ? 1 : -1);
      let rect2 = scaleX.ori == 0 ? rectH : rectV;
      let each = scaleX.ori == 0 ? _each : (u2, seriesIdx2, i, top, lft, hgt, wid) => {
        _each(u2, seriesIdx2, i, lft, top, wid, hgt);
      };
      let band = ifNull(u.bands, EMPTY_ARR).find((b) => b.series[0] == seriesIdx);
      let fillDir = band != null ? band.dir : 0;
      let fillTo = series.fillTo(u, seriesIdx, series.min, series.max, fillDir);
      let fillToY = pxRound(valToPosY(fillTo, scaleY, yDim, yOff));
      let xShift, barWid, fullGap, colWid = xDim;
      let strokeWidth = pxRound(series.width * pxRatio);
      let multiPath = false;
      let fillColors = null;
      let fillPaths = null;
      let strokeColors = null;
      let strokePaths = null;
      if (dispFills != null && (strokeWidth == 0 || dispStrokes != null)) {
        multiPath = true;
        fillColors = dispFills.values(u, seriesIdx, idx0, idx1);
        fillPaths = /* @__PURE__ */ new Map();
        new Set(fillColors).forEach((color) => {
          if (color != null) fillPaths.set(color, new Path2D());
        });
        if (strokeWidth > 0) {
          strokeColors = dispStrokes.values(u, seriesIdx, idx0, idx1);
          strokePaths = /* @__PURE__ */ new Map();
          new Set(strokeColors).forEach((color) => {
            if (color != null) strokePaths.set(color, new Path2D());
          });
        }
      }
      let { x0, size: size2 } = disp;
      if (x0 != null && size2 != null) {
        _align = 1;
        dataX = x0.values(u, seriesIdx, idx0, idx1);
        if (x0.unit == 2) dataX = dataX.map((pct) => u.posToVal(xOff + pct * xDim, scaleX.key, true));
        let sizes = size2.values(u, seriesIdx, idx0, idx1);
        if (size2.unit == 2) barWid = sizes[0] * xDim;
        else barWid = valToPosX(sizes[0], scaleX, xDim, xOff) - valToPosX(0, scaleX, xDim, xOff);
        colWid = findColWidth(dataX, dataY, valToPosX, scaleX, xDim, xOff, colWid);
        let gapWid = colWid - barWid;
        fullGap = gapWid + extraGap;
      } else {
        colWid = findColWidth(dataX, dataY, valToPosX, scaleX, xDim, xOff, colWid);
        let gapWid = colWid * gapFactor;
        fullGap = gapWid + extraGap;
        barWid = colWid - fullGap;
      }
      if (fullGap < 1) fullGap = 0;
      if (strokeWidth >= barWid / 2) strokeWidth = 0;
      if (fullGap < 5) pxRound = retArg0;
      let insetStroke = fullGap > 0;
      let rawBarWid = colWid - fullGap - (insetStroke ? strokeWidth : 0);
      barWid = pxRound(clamp(rawBarWid, minWidth, maxWidth));
      xShift = (_align == 0 ? barWid / 2 : _align == _dirX ? 0 : barWid) - _align * _dirX * ((_align == 0 ? extraGap / 2 : 0) + (insetStroke ? strokeWidth / 2 : 0));
      const _paths = {
        stroke: null,
        fill: null,
        clip: null,
        band: null,
        gaps: null,
        flags: 0
      };
      const stroke = multiPath ? null : new Path2D();
      let dataY0 = null;
      if (band != null) dataY0 = u.data[band.series[1]];
      else {
        let { y0, y1 } = disp;
        if (y0 != null && y1 != null) {
          dataY = y1.values(u, seriesIdx, idx0, idx1);
          dataY0 = y0.values(u, seriesIdx, idx0, idx1);
        }
      }
      let radVal = valRadius * barWid;
      let radBase = baseRadius * barWid;
      for (let i = _dirX == 1 ? idx0 : idx1; i >= idx0 && i <= idx1; i += _dirX) {
        let yVal = dataY[i];
        if (yVal == null) continue;
        if (dataY0 != null) {
          let yVal0 = dataY0[i] ?? 0;
          if (yVal - yVal0 == 0) continue;
          fillToY = valToPosY(yVal0, scaleY, yDim, yOff);
        }
        let xVal = scaleX.distr != 2 || disp != null ? dataX[i] : i;
        let xPos = valToPosX(xVal, scaleX, xDim, xOff);
        let yPos = valToPosY(ifNull(yVal, fillTo), scaleY, yDim, yOff);
        let lft = pxRound(xPos - xShift);
        let btm = pxRound(max(yPos, fillToY));
        let top = pxRound(min(yPos, fillToY));
        let barHgt = btm - top;
        if (yVal != null) {
          let rv = yVal < 0 ? radBase : radVal;
          let rb = yVal < 0 ? radVal : radBase;
          if (multiPath) {
            if (strokeWidth > 0 && strokeColors[i] != null) rect2(strokePaths.get(strokeColors[i]), lft, top + floor(strokeWidth / 2), barWid, max(0, barHgt - strokeWidth), rv, rb);
            if (fillColors[i] != null) rect2(fillPaths.get(fillColors[i]), lft, top + floor(strokeWidth / 2), barWid, max(0, barHgt - strokeWidth), rv, rb);
          } else rect2(stroke, lft, top + floor(strokeWidth / 2), barWid, max(0, barHgt - strokeWidth), rv, rb);
          each(u, seriesIdx, i, lft - strokeWidth / 2, top, barWid + strokeWidth, barHgt);
        }
      }
      if (strokeWidth > 0) _paths.stroke = multiPath ? strokePaths : stroke;
      else if (!multiPath) {
        _paths._fill = series.width == 0 ? series._fill : series._stroke ?? series._fill;
        _paths.width = 0;
      }
      _paths.fill = multiPath ? fillPaths : stroke;
      return _paths;
    });
  };
}
function splineInterp(interp, opts) {
  const alignGaps = ifNull(opts?.alignGaps, 0);
  return (u, seriesIdx, idx0, idx1) => {
    return orient(u, seriesIdx, (series, dataX, dataY, scaleX, scaleY, valToPosX, valToPosY, xOff, yOff, xDim, yDim) => {
      [idx0, idx1] = nonNullIdxs(dataY, idx0, idx1);
      let pxRound = series.pxRound;
      let pixelForX = (val) => pxRound(valToPosX(val, scaleX, xDim, xOff));
      let pixelForY = (val) => pxRound(valToPosY(val, scaleY, yDim, yOff));
      let moveTo, bezierCurveTo, lineTo;
      if (scaleX.ori == 0) {
        moveTo = moveToH;
        lineTo = lineToH;
        bezierCurveTo = bezierCurveToH;
      } else {
        moveTo = moveToV;
        lineTo = lineToV;
        bezierCurveTo = bezierCurveToV;
      }
      const dir = scaleX.dir * (scaleX.ori == 0 ? 1 : -1);
      let firstXPos = pixelForX(dataX[dir == 1 ? idx0 : idx1]);
      let prevXPos = firstXPos;
      let xCoords = [];
      let yCoords = [];
      for (let i = dir == 1 ? idx0 : idx1; i >= idx0 && i <= idx1; i += dir) {
        let yVal = dataY[i];
        if (yVal != null) {
          let xVal = dataX[i];
          let xPos = pixelForX(xVal);
          xCoords.push(prevXPos = xPos);
          yCoords.push(pixelForY(dataY[i]));
        }
      }
      const _paths = {
        stroke: interp(xCoords, yCoords, moveTo, lineTo, bezierCurveTo, pxRound),
        fill: null,
        clip: null,
        band: null,
        gaps: null,
        flags: BAND_CLIP_FILL
      };
      const stroke = _paths.stroke;
      let [bandFillDir, bandClipDir] = bandFillClipDirs(u, seriesIdx);
      if (series.fill != null || bandFillDir != 0) {
        let fill = _paths.fill = new Path2D(stroke);
        let fillTo = series.fillTo(u, seriesIdx, series.min, series.max, bandFillDir);
        let fillToY = pixelForY(fillTo);
        lineTo(fill, prevXPos, fillToY);
        lineTo(fill, firstXPos, fillToY);
      }
      if (!series.spanGaps) {
        let gaps2 = [];
        gaps2.push(...findGaps(dataX, dataY, idx0, idx1, dir, pixelForX, alignGaps));
        _paths.gaps = gaps2 = series.gaps(u, seriesIdx, idx0, idx1, gaps2);
        _paths.clip = clipGaps(gaps2, scaleX.ori, xOff, yOff, xDim, yDim);
      }
      if (bandClipDir != 0) {
        _paths.band = bandClipDir == 2 ? [
          clipBandLine(u, seriesIdx, idx0, idx1, stroke, -1),
          clipBandLine(u, seriesIdx, idx0, idx1, stroke, 1)
        ] : clipBandLine(u, seriesIdx, idx0, idx1, stroke, bandClipDir);
      }
      return _paths;
    });
  };
}
function monotoneCubic(opts) {
  return splineInterp(_monotoneCubic, opts);
}
function _monotoneCubic(xs, ys, moveTo, lineTo, bezierCurveTo, pxRound) {
  const n = xs.length;
  if (n < 2) return null;
  const path = new Path2D();
  moveTo(path, xs[0], ys[0]);
  if (n == 2) lineTo(path, xs[1], ys[1]);
  else {
    let ms = Array(n), ds = Array(n - 1), dys = Array(n - 1), dxs = Array(n - 1);
    for (let i = 0; i < n - 1; i++) {
      dys[i] = ys[i + 1] - ys[i];
      dxs[i] = xs[i + 1] - xs[i];
      ds[i] = dys[i] / dxs[i];
    }
    ms[0] = ds[0];
    for (let i = 1; i < n - 1; i++) {
      if (ds[i] === 0 || ds[i - 1] === 0 || ds[i - 1] > 0 !== ds[i] > 0) ms[i] = 0;
      else {
        ms[i] = 3 * (dxs[i - 1] + dxs[i]) / ((2 * dxs[i] + dxs[i - 1]) / ds[i - 1] + (dxs[i] + 2 * dxs[i - 1]) / ds[i]);
        if (!isFinite(ms[i])) ms[i] = 0;
      }
    }
    ms[n - 1] = ds[n - 2];
    for (let i = 0; i < n - 1; i++) {
      bezierCurveTo(path, xs[i] + dxs[i] / 3, ys[i] + ms[i] * dxs[i] / 3, xs[i + 1] - dxs[i] / 3, ys[i + 1] - ms[i + 1] * dxs[i] / 3, xs[i + 1], ys[i + 1]);
    }
  }
  return path;
}
var cursorPlots = /* @__PURE__ */ new Set();
function invalidateRects() {
  for (let u of cursorPlots) u.syncRect(true);
}
if (domEnv) {
  on(resize, win, invalidateRects);
  on(scroll, win, invalidateRects, true);
  on(dppxchange, win, () => {
    uPlot.pxRatio = pxRatio;
  });
}
var linearPath = linear();
var pointsPath = points();
function setDefaults(d, xo, yo, initY) {
  let d2 = initY ? [
    d[0],
    d[1]
  ].concat(d.slice(2)) : [
    d[0]
  ].concat(d.slice(1));
  return d2.map((o, i) => setDefault(o, i, xo, yo));
}
function setDefaults2(d, xyo) {
  return d.map((o, i) => i == 0 ? {} : assign({}, xyo, o));
}
function setDefault(o, i, xo, yo) {
  return assign({}, i == 0 ? xo : yo, o);
}
function snapNumX(self, dataMin, dataMax) {
  return dataMin == null ? nullNullTuple : [
    dataMin,
    dataMax
  ];
}
var snapTimeX = snapNumX;
function snapNumY(self, dataMin, dataMax) {
  return dataMin == null ? nullNullTuple : rangeNum(dataMin, dataMax, rangePad, true);
}
function snapLogY(self, dataMin, dataMax, scale) {
  return dataMin == null ? nullNullTuple : rangeLog(dataMin, dataMax, self.scales[scale].log, false);
}
var snapLogX = snapLogY;
function snapAsinhY(self, dataMin, dataMax, scale) {
  return dataMin == null ? nullNullTuple : rangeAsinh(dataMin, dataMax, self.scales[scale].log, false);
}
var snapAsinhX = snapAsinhY;
function findIncr(minVal, maxVal, incrs, dim, minSpace) {
  let intDigits = max(numIntDigits(minVal), numIntDigits(maxVal));
  let delta = maxVal - minVal;
  let incrIdx = closestIdx(minSpace / dim * delta, incrs);
  do {
    let foundIncr = incrs[incrIdx];
    let foundSpace = dim * foundIncr / delta;
    if (foundSpace >= minSpace && intDigits + (foundIncr < 5 ? fixedDec.get(foundIncr) : 0) <= 17) return [
      foundIncr,
      foundSpace
    ];
  } while (++incrIdx < incrs.length);
  return [
    0,
    0
  ];
}
function pxRatioFont(font2) {
  let fontSize, fontSizeCss;
  font2 = font2.replace(/(\d+)px/, (m, p1) => (fontSize = round((fontSizeCss = +p1) * pxRatio)) + "px");
  return [
    font2,
    fontSize,
    fontSizeCss
  ];
}
function syncFontSize(axis) {
  if (axis.show) {
    [
      axis.font,
      axis.labelFont
    ].forEach((f) => {
      let size = roundDec(f[2] * pxRatio, 1);
      f[0] = f[0].replace(/[0-9.]+px/, size + "px");
      f[1] = size;
    });
  }
}
function uPlot(opts, data, then) {
  const self = {
    mode: ifNull(opts.mode, 1)
  };
  const mode = self.mode;
  function getHPos(val, scale, dim, off2) {
    let pct = scale.valToPct(val);
    return off2 + dim * (scale.dir == -1 ? 1 - pct : pct);
  }
  function getVPos(val, scale, dim, off2) {
    let pct = scale.valToPct(val);
    return off2 + dim * (scale.dir == -1 ? pct : 1 - pct);
  }
  function getPos(val, scale, dim, off2) {
    return scale.ori == 0 ? getHPos(val, scale, dim, off2) : getVPos(val, scale, dim, off2);
  }
  self.valToPosH = getHPos;
  self.valToPosV = getVPos;
  let ready = false;
  self.status = 0;
  const root = self.root = placeDiv(UPLOT);
  if (opts.id != null) root.id = opts.id;
  addClass(root, opts.class);
  if (opts.title) {
    let title = placeDiv(TITLE, root);
    title.textContent = opts.title;
  }
  const can = placeTag("canvas");
  const ctx = self.ctx = can.getContext("2d");
  const wrap = placeDiv(WRAP, root);
  on("click", wrap, (e) => {
    if (e.target === over) {
      let didDrag = mouseLeft1 != mouseLeft0 || mouseTop1 != mouseTop0;
      didDrag && drag.click(self, e);
    }
  }, true);
  const under = self.under = placeDiv(UNDER, wrap);
  wrap.appendChild(can);
  const over = self.over = placeDiv(OVER, wrap);
  opts = copy(opts);
  const pxAlign = +ifNull(opts.pxAlign, 1);
  const pxRound = pxRoundGen(pxAlign);
  (opts.plugins || []).forEach((p) => {
    if (p.opts) opts = p.opts(self, opts) || opts;
  });
  const ms = opts.ms || 1e-3;
  const series = self.series = mode == 1 ? setDefaults(opts.series || [], xSeriesOpts, ySeriesOpts, false) : setDefaults2(opts.series || [
    null
  ], xySeriesOpts);
  const axes = self.axes = setDefaults(opts.axes || [], xAxisOpts, yAxisOpts, true);
  const scales = self.scales = {};
  const bands = self.bands = opts.bands || [];
  bands.forEach((b) => {
    b.fill = fnOrSelf(b.fill || null);
    b.dir = ifNull(b.dir, -1);
  });
  const xScaleKey = mode == 2 ? series[1].facets[0].scale : series[0].scale;
  const drawOrderMap = {
    axes: drawAxesGrid,
    series: drawSeries
  };
  const drawOrder = (opts.drawOrder || [
    "axes",
    "series"
  ]).map((key2) => drawOrderMap[key2]);
  function initValToPct(sc) {
    const getVal = sc.distr == 3 ? (val) => log10(val > 0 ? val : sc.clamp(self, val, sc.min, sc.max, sc.key)) : sc.distr == 4 ? (val) => asinh(val, sc.asinh) : sc.distr == 100 ? (val) => sc.fwd(val) : (val) => val;
    return (val) => {
      let _val = getVal(val);
      let { _min, _max } = sc;
      let delta = _max - _min;
      return (_val - _min) / delta;
    };
  }
  function initScale(scaleKey) {
    let sc = scales[scaleKey];
    if (sc == null) {
      let scaleOpts = (opts.scales || EMPTY_OBJ)[scaleKey] || EMPTY_OBJ;
      if (scaleOpts.from != null) {
        initScale(scaleOpts.from);
        let sc2 = assign({}, scales[scaleOpts.from], scaleOpts, {
          key: scaleKey
        });
        sc2.valToPct = initValToPct(sc2);
        scales[scaleKey] = sc2;
      } else {
        sc = scales[scaleKey] = assign({}, scaleKey == xScaleKey ? xScaleOpts : yScaleOpts, scaleOpts);
        sc.key = scaleKey;
        let isTime = sc.time;
        let rn = sc.range;
        let rangeIsArr = isArr(rn);
        if (scaleKey != xScaleKey || mode == 2 && !isTime) {
          if (rangeIsArr && (rn[0] == null || rn[1] == null)) {
            rn = {
              min: rn[0] == null ? autoRangePart : {
                mode: 1,
                hard: rn[0],
                soft: rn[0]
              },
              max: rn[1] == null ? autoRangePart : {
                mode: 1,
                hard: rn[1],
                soft: rn[1]
              }
            };
            rangeIsArr = false;
          }
          if (!rangeIsArr && isObj(rn)) {
            let cfg = rn;
            rn = (self2, dataMin, dataMax) => dataMin == null ? nullNullTuple : rangeNum(dataMin, dataMax, cfg);
          }
        }
        sc.range = fnOrSelf(rn || (isTime ? snapTimeX : scaleKey == xScaleKey ? sc.distr == 3 ? snapLogX : sc.distr == 4 ? snapAsinhX : snapNumX : sc.distr == 3 ? snapLogY : sc.distr == 4 ? snapAsinhY : snapNumY));
        sc.auto = fnOrSelf(rangeIsArr ? false : sc.auto);
        sc.clamp = fnOrSelf(sc.clamp || clampScale);
        sc._min = sc._max = null;
        sc.valToPct = initValToPct(sc);
      }
    }
  }
  initScale("x");
  initScale("y");
  if (mode == 1) {
    series.forEach((s) => {
      initScale(s.scale);
    });
  }
  axes.forEach((a) => {
    initScale(a.scale);
  });
  for (let k in opts.scales) initScale(k);
  const scaleX = scales[xScaleKey];
  const xScaleDistr = scaleX.distr;
  let valToPosX, valToPosY;
  if (scaleX.ori == 0) {
    addClass(root, ORI_HZ);
    valToPosX = getHPos;
    valToPosY = getVPos;
  } else {
    addClass(root, ORI_VT);
    valToPosX = getVPos;
    valToPosY = getHPos;
  }
  const pendScales = {};
  for (let k in scales) {
    let sc = scales[k];
    if (sc.min != null || sc.max != null) {
      pendScales[k] = {
        min: sc.min,
        max: sc.max
      };
      sc.min = sc.max = null;
    }
  }
  const _tzDate = opts.tzDate || ((ts) => new Date(round(ts / ms)));
  const _fmtDate = opts.fmtDate || fmtDate;
  const _timeAxisSplits = ms == 1 ? timeAxisSplitsMs(_tzDate) : timeAxisSplitsS(_tzDate);
  const _timeAxisVals = timeAxisVals(_tzDate, timeAxisStamps(ms == 1 ? _timeAxisStampsMs : _timeAxisStampsS, _fmtDate));
  const _timeSeriesVal = timeSeriesVal(_tzDate, timeSeriesStamp(_timeSeriesStamp, _fmtDate));
  const activeIdxs = [];
  const legend = self.legend = assign({}, legendOpts, opts.legend);
  const cursor = self.cursor = assign({}, cursorOpts, {
    drag: {
      y: mode == 2
    }
  }, opts.cursor);
  const showLegend = legend.show;
  const showCursor = cursor.show;
  const markers = legend.markers;
  {
    legend.idxs = activeIdxs;
    markers.width = fnOrSelf(markers.width);
    markers.dash = fnOrSelf(markers.dash);
    markers.stroke = fnOrSelf(markers.stroke);
    markers.fill = fnOrSelf(markers.fill);
  }
  let legendTable;
  let legendHead;
  let legendBody;
  let legendRows = [];
  let legendCells = [];
  let legendCols;
  let multiValLegend = false;
  let NULL_LEGEND_VALUES = {};
  if (legend.live) {
    const getMultiVals = series[1] ? series[1].values : null;
    multiValLegend = getMultiVals != null;
    legendCols = multiValLegend ? getMultiVals(self, 1, 0) : {
      _: 0
    };
    for (let k in legendCols) NULL_LEGEND_VALUES[k] = LEGEND_DISP;
  }
  if (showLegend) {
    legendTable = placeTag("table", LEGEND, root);
    legendBody = placeTag("tbody", null, legendTable);
    legend.mount(self, legendTable);
    if (multiValLegend) {
      legendHead = placeTag("thead", null, legendTable, legendBody);
      let head = placeTag("tr", null, legendHead);
      placeTag("th", null, head);
      for (var key in legendCols) placeTag("th", LEGEND_LABEL, head).textContent = key;
    } else {
      addClass(legendTable, LEGEND_INLINE);
      legend.live && addClass(legendTable, LEGEND_LIVE);
    }
  }
  const son = {
    show: true
  };
  const soff = {
    show: false
  };
  function initLegendRow(s, i) {
    if (i == 0 && (multiValLegend || !legend.live || mode == 2)) return nullNullTuple;
    let cells = [];
    let row = placeTag("tr", LEGEND_SERIES, legendBody, legendBody.childNodes[i]);
    addClass(row, s.class);
    if (!s.show) addClass(row, OFF);
    let label = placeTag("th", null, row);
    if (markers.show) {
      let indic = placeDiv(LEGEND_MARKER, label);
      if (i > 0) {
        let width = markers.width(self, i);
        if (width) indic.style.border = width + "px " + markers.dash(self, i) + " " + markers.stroke(self, i);
        indic.style.background = markers.fill(self, i);
      }
    }
    let text = placeDiv(LEGEND_LABEL, label);
    if (s.label instanceof HTMLElement) text.appendChild(s.label);
    else text.textContent = s.label;
    if (i > 0) {
      if (!markers.show) text.style.color = s.width > 0 ? markers.stroke(self, i) : markers.fill(self, i);
      onMouse("click", label, (e) => {
        if (cursor._lock) return;
        setCursorEvent(e);
        let seriesIdx = series.indexOf(s);
        if ((e.ctrlKey || e.metaKey) != legend.isolate) {
          let isolate = series.some((s2, i2) => i2 > 0 && i2 != seriesIdx && s2.show);
          series.forEach((s2, i2) => {
            i2 > 0 && setSeries(i2, isolate ? i2 == seriesIdx ? son : soff : son, true, syncOpts.setSeries);
          });
        } else setSeries(seriesIdx, {
          show: !s.show
        }, true, syncOpts.setSeries);
      }, false);
      if (cursorFocus) {
        onMouse(mouseenter, label, (e) => {
          if (cursor._lock) return;
          setCursorEvent(e);
          setSeries(series.indexOf(s), FOCUS_TRUE, true, syncOpts.setSeries);
        }, false);
      }
    }
    for (var key2 in legendCols) {
      let v = placeTag("td", LEGEND_VALUE, row);
      v.textContent = "--";
      cells.push(v);
    }
    return [
      row,
      cells
    ];
  }
  const mouseListeners = /* @__PURE__ */ new Map();
  function onMouse(ev, targ, fn, onlyTarg = true) {
    const targListeners = mouseListeners.get(targ) || {};
    const listener = cursor.bind[ev](self, targ, fn, onlyTarg);
    if (listener) {
      on(ev, targ, targListeners[ev] = listener);
      mouseListeners.set(targ, targListeners);
    }
  }
  function offMouse(ev, targ, fn) {
    const targListeners = mouseListeners.get(targ) || {};
    for (let k in targListeners) {
      if (ev == null || k == ev) {
        off(k, targ, targListeners[k]);
        delete targListeners[k];
      }
    }
    if (ev == null) mouseListeners.delete(targ);
  }
  let fullWidCss = 0;
  let fullHgtCss = 0;
  let plotWidCss = 0;
  let plotHgtCss = 0;
  let plotLftCss = 0;
  let plotTopCss = 0;
  let _plotLftCss = plotLftCss;
  let _plotTopCss = plotTopCss;
  let _plotWidCss = plotWidCss;
  let _plotHgtCss = plotHgtCss;
  let plotLft = 0;
  let plotTop = 0;
  let plotWid = 0;
  let plotHgt = 0;
  self.bbox = {};
  let shouldSetScales = false;
  let shouldSetSize = false;
  let shouldConvergeSize = false;
  let shouldSetCursor = false;
  let shouldSetSelect = false;
  let shouldSetLegend = false;
  function _setSize(width, height, force) {
    if (force || (width != self.width || height != self.height)) calcSize(width, height);
    resetYSeries(false);
    shouldConvergeSize = true;
    shouldSetSize = true;
    commit();
  }
  function calcSize(width, height) {
    self.width = fullWidCss = plotWidCss = width;
    self.height = fullHgtCss = plotHgtCss = height;
    plotLftCss = plotTopCss = 0;
    calcPlotRect();
    calcAxesRects();
    let bb = self.bbox;
    plotLft = bb.left = incrRound(plotLftCss * pxRatio, 0.5);
    plotTop = bb.top = incrRound(plotTopCss * pxRatio, 0.5);
    plotWid = bb.width = incrRound(plotWidCss * pxRatio, 0.5);
    plotHgt = bb.height = incrRound(plotHgtCss * pxRatio, 0.5);
  }
  const CYCLE_LIMIT = 3;
  function convergeSize() {
    let converged = false;
    let cycleNum = 0;
    while (!converged) {
      cycleNum++;
      let axesConverged = axesCalc(cycleNum);
      let paddingConverged = paddingCalc(cycleNum);
      converged = cycleNum == CYCLE_LIMIT || axesConverged && paddingConverged;
      if (!converged) {
        calcSize(self.width, self.height);
        shouldSetSize = true;
      }
    }
  }
  function setSize({ width, height }) {
    _setSize(width, height);
  }
  self.setSize = setSize;
  function calcPlotRect() {
    let hasTopAxis = false;
    let hasBtmAxis = false;
    let hasRgtAxis = false;
    let hasLftAxis = false;
    axes.forEach((axis, i) => {
      if (axis.show && axis._show) {
        let { side, _size } = axis;
        let isVt = side % 2;
        let labelSize = axis.label != null ? axis.labelSize : 0;
        let fullSize = _size + labelSize;
        if (fullSize > 0) {
          if (isVt) {
            plotWidCss -= fullSize;
            if (side == 3) {
              plotLftCss += fullSize;
              hasLftAxis = true;
            } else hasRgtAxis = true;
          } else {
            plotHgtCss -= fullSize;
            if (side == 0) {
              plotTopCss += fullSize;
              hasTopAxis = true;
            } else hasBtmAxis = true;
          }
        }
      }
    });
    sidesWithAxes[0] = hasTopAxis;
    sidesWithAxes[1] = hasRgtAxis;
    sidesWithAxes[2] = hasBtmAxis;
    sidesWithAxes[3] = hasLftAxis;
    plotWidCss -= _padding[1] + _padding[3];
    plotLftCss += _padding[3];
    plotHgtCss -= _padding[2] + _padding[0];
    plotTopCss += _padding[0];
  }
  function calcAxesRects() {
    let off1 = plotLftCss + plotWidCss;
    let off2 = plotTopCss + plotHgtCss;
    let off3 = plotLftCss;
    let off0 = plotTopCss;
    function incrOffset(side, size) {
      switch (side) {
        case 1:
          off1 += size;
          return off1 - size;
        case 2:
          off2 += size;
          return off2 - size;
        case 3:
          off3 -= size;
          return off3 + size;
        case 0:
          off0 -= size;
          return off0 + size;
      }
    }
    axes.forEach((axis, i) => {
      if (axis.show && axis._show) {
        let side = axis.side;
        axis._pos = incrOffset(side, axis._size);
        if (axis.label != null) axis._lpos = incrOffset(side, axis.labelSize);
      }
    });
  }
  if (cursor.dataIdx == null) {
    let hov = cursor.hover;
    let skip = hov.skip = new Set(hov.skip ?? []);
    skip.add(void 0);
    let prox = hov.prox = fnOrSelf(hov.prox);
    let bias = hov.bias ??= 0;
    cursor.dataIdx = (self2, seriesIdx, cursorIdx, valAtPosX) => {
      if (seriesIdx == 0) return cursorIdx;
      let idx2 = cursorIdx;
      let _prox = prox(self2, seriesIdx, cursorIdx, valAtPosX) ?? inf;
      let withProx = _prox >= 0 && _prox < inf;
      let xDim = scaleX.ori == 0 ? plotWidCss : plotHgtCss;
      let cursorLft = cursor.left;
      let xValues = data[0];
      let yValues = data[seriesIdx];
      if (skip.has(yValues[cursorIdx])) {
        idx2 = null;
        let nonNullLft = null, nonNullRgt = null, j;
        if (bias == 0 || bias == -1) {
          j = cursorIdx;
          while (nonNullLft == null && j-- > 0) {
            if (!skip.has(yValues[j])) nonNullLft = j;
          }
        }
        if (bias == 0 || bias == 1) {
          j = cursorIdx;
          while (nonNullRgt == null && j++ < yValues.length) {
            if (!skip.has(yValues[j])) nonNullRgt = j;
          }
        }
        if (nonNullLft != null || nonNullRgt != null) {
          if (withProx) {
            let lftPos = nonNullLft == null ? -Infinity : valToPosX(xValues[nonNullLft], scaleX, xDim, 0);
            let rgtPos = nonNullRgt == null ? Infinity : valToPosX(xValues[nonNullRgt], scaleX, xDim, 0);
            let lftDelta = cursorLft - lftPos;
            let rgtDelta = rgtPos - cursorLft;
            if (lftDelta <= rgtDelta) {
              if (lftDelta <= _prox) idx2 = nonNullLft;
            } else {
              if (rgtDelta <= _prox) idx2 = nonNullRgt;
            }
          } else {
            idx2 = nonNullRgt == null ? nonNullLft : nonNullLft == null ? nonNullRgt : cursorIdx - nonNullLft <= nonNullRgt - cursorIdx ? nonNullLft : nonNullRgt;
          }
        }
      } else if (withProx) {
        let dist = abs(cursorLft - valToPosX(xValues[cursorIdx], scaleX, xDim, 0));
        if (dist > _prox) idx2 = null;
      }
      return idx2;
    };
  }
  const setCursorEvent = (e) => {
    cursor.event = e;
  };
  cursor.idxs = activeIdxs;
  cursor._lock = false;
  let points2 = cursor.points;
  points2.show = fnOrSelf(points2.show);
  points2.size = fnOrSelf(points2.size);
  points2.stroke = fnOrSelf(points2.stroke);
  points2.width = fnOrSelf(points2.width);
  points2.fill = fnOrSelf(points2.fill);
  const focus = self.focus = assign({}, opts.focus || {
    alpha: 0.3
  }, cursor.focus);
  const cursorFocus = focus.prox >= 0;
  const cursorOnePt = cursorFocus && points2.one;
  let cursorPts = [];
  let cursorPtsLft = [];
  let cursorPtsTop = [];
  function initCursorPt(s, si) {
    let pt = points2.show(self, si);
    if (pt instanceof HTMLElement) {
      addClass(pt, CURSOR_PT);
      addClass(pt, s.class);
      elTrans(pt, -10, -10, plotWidCss, plotHgtCss);
      over.insertBefore(pt, cursorPts[si]);
      return pt;
    }
  }
  function initSeries(s, i) {
    if (mode == 1 || i > 0) {
      let isTime = mode == 1 && scales[s.scale].time;
      let sv = s.value;
      s.value = isTime ? isStr(sv) ? timeSeriesVal(_tzDate, timeSeriesStamp(sv, _fmtDate)) : sv || _timeSeriesVal : sv || numSeriesVal;
      s.label = s.label || (isTime ? timeSeriesLabel : numSeriesLabel);
    }
    if (cursorOnePt || i > 0) {
      s.width = s.width == null ? 1 : s.width;
      s.paths = s.paths || linearPath || retNull;
      s.fillTo = fnOrSelf(s.fillTo || seriesFillTo);
      s.pxAlign = +ifNull(s.pxAlign, pxAlign);
      s.pxRound = pxRoundGen(s.pxAlign);
      s.stroke = fnOrSelf(s.stroke || null);
      s.fill = fnOrSelf(s.fill || null);
      s._stroke = s._fill = s._paths = s._focus = null;
      let _ptDia = ptDia(max(1, s.width), 1);
      let points3 = s.points = assign({}, {
        size: _ptDia,
        width: max(1, _ptDia * 0.2),
        stroke: s.stroke,
        space: _ptDia * 2,
        paths: pointsPath,
        _stroke: null,
        _fill: null
      }, s.points);
      points3.show = fnOrSelf(points3.show);
      points3.filter = fnOrSelf(points3.filter);
      points3.fill = fnOrSelf(points3.fill);
      points3.stroke = fnOrSelf(points3.stroke);
      points3.paths = fnOrSelf(points3.paths);
      points3.pxAlign = s.pxAlign;
    }
    if (showLegend) {
      let rowCells = initLegendRow(s, i);
      legendRows.splice(i, 0, rowCells[0]);
      legendCells.splice(i, 0, rowCells[1]);
      legend.values.push(null);
    }
    if (showCursor) {
      activeIdxs.splice(i, 0, null);
      let pt = null;
      if (cursorOnePt) {
        if (i == 0) pt = initCursorPt(s, i);
      } else if (i > 0) pt = initCursorPt(s, i);
      cursorPts.splice(i, 0, pt);
      cursorPtsLft.splice(i, 0, 0);
      cursorPtsTop.splice(i, 0, 0);
    }
    fire("addSeries", i);
  }
  function addSeries(opts2, si) {
    si = si == null ? series.length : si;
    opts2 = mode == 1 ? setDefault(opts2, si, xSeriesOpts, ySeriesOpts) : setDefault(opts2, si, {}, xySeriesOpts);
    series.splice(si, 0, opts2);
    initSeries(series[si], si);
  }
  self.addSeries = addSeries;
  function delSeries(i) {
    series.splice(i, 1);
    if (showLegend) {
      legend.values.splice(i, 1);
      legendCells.splice(i, 1);
      let tr = legendRows.splice(i, 1)[0];
      offMouse(null, tr.firstChild);
      tr.remove();
    }
    if (showCursor) {
      activeIdxs.splice(i, 1);
      cursorPts.splice(i, 1)[0].remove();
      cursorPtsLft.splice(i, 1);
      cursorPtsTop.splice(i, 1);
    }
    fire("delSeries", i);
  }
  self.delSeries = delSeries;
  const sidesWithAxes = [
    false,
    false,
    false,
    false
  ];
  function initAxis(axis, i) {
    axis._show = axis.show;
    if (axis.show) {
      let isVt = axis.side % 2;
      let sc = scales[axis.scale];
      if (sc == null) {
        axis.scale = isVt ? series[1].scale : xScaleKey;
        sc = scales[axis.scale];
      }
      let isTime = sc.time;
      axis.size = fnOrSelf(axis.size);
      axis.space = fnOrSelf(axis.space);
      axis.rotate = fnOrSelf(axis.rotate);
      if (isArr(axis.incrs)) {
        axis.incrs.forEach((incr) => {
          !fixedDec.has(incr) && fixedDec.set(incr, guessDec(incr));
        });
      }
      axis.incrs = fnOrSelf(axis.incrs || (sc.distr == 2 ? wholeIncrs : isTime ? ms == 1 ? timeIncrsMs : timeIncrsS : numIncrs));
      axis.splits = fnOrSelf(axis.splits || (isTime && sc.distr == 1 ? _timeAxisSplits : sc.distr == 3 ? logAxisSplits : sc.distr == 4 ? asinhAxisSplits : numAxisSplits));
      axis.stroke = fnOrSelf(axis.stroke);
      axis.grid.stroke = fnOrSelf(axis.grid.stroke);
      axis.ticks.stroke = fnOrSelf(axis.ticks.stroke);
      axis.border.stroke = fnOrSelf(axis.border.stroke);
      let av = axis.values;
      axis.values = // static array of tick values
      isArr(av) && !isArr(av[0]) ? fnOrSelf(av) : (
        // temporal
        isTime ? (
          // config array of fmtDate string tpls
          isArr(av) ? timeAxisVals(_tzDate, timeAxisStamps(av, _fmtDate)) : (
            // fmtDate string tpl
            isStr(av) ? timeAxisVal(_tzDate, av) : av || _timeAxisVals
          )
        ) : av || numAxisVals
      );
      axis.filter = fnOrSelf(axis.filter || (sc.distr >= 3 && sc.log == 10 ? log10AxisValsFilt : sc.distr == 3 && sc.log == 2 ? log2AxisValsFilt : retArg1));
      axis.font = pxRatioFont(axis.font);
      axis.labelFont = pxRatioFont(axis.labelFont);
      axis._size = axis.size(self, null, i, 0);
      axis._space = axis._rotate = axis._incrs = axis._found = axis._splits = axis._values = null;
      if (axis._size > 0) {
        sidesWithAxes[i] = true;
        axis._el = placeDiv(AXIS, wrap);
      }
    }
  }
  function autoPadSide(self2, side, sidesWithAxes2, cycleNum) {
    let [hasTopAxis, hasRgtAxis, hasBtmAxis, hasLftAxis] = sidesWithAxes2;
    let ori = side % 2;
    let size = 0;
    if (ori == 0 && (hasLftAxis || hasRgtAxis)) size = side == 0 && !hasTopAxis || side == 2 && !hasBtmAxis ? round(xAxisOpts.size / 3) : 0;
    if (ori == 1 && (hasTopAxis || hasBtmAxis)) size = side == 1 && !hasRgtAxis || side == 3 && !hasLftAxis ? round(yAxisOpts.size / 2) : 0;
    return size;
  }
  const padding = self.padding = (opts.padding || [
    autoPadSide,
    autoPadSide,
    autoPadSide,
    autoPadSide
  ]).map((p) => fnOrSelf(ifNull(p, autoPadSide)));
  const _padding = self._padding = padding.map((p, i) => p(self, i, sidesWithAxes, 0));
  let dataLen;
  let i0 = null;
  let i1 = null;
  const idxs = mode == 1 ? series[0].idxs : null;
  let data0 = null;
  let viaAutoScaleX = false;
  function setData(_data, _resetScales) {
    data = _data == null ? [] : _data;
    self.data = self._data = data;
    if (mode == 2) {
      dataLen = 0;
      for (let i = 1; i < series.length; i++) dataLen += data[i][0].length;
    } else {
      if (data.length == 0) self.data = self._data = data = [
        []
      ];
      data0 = data[0];
      dataLen = data0.length;
      let scaleData = data;
      if (xScaleDistr == 2) {
        scaleData = data.slice();
        let _data0 = scaleData[0] = Array(dataLen);
        for (let i = 0; i < dataLen; i++) _data0[i] = i;
      }
      self._data = data = scaleData;
    }
    resetYSeries(true);
    fire("setData");
    if (xScaleDistr == 2) {
      shouldConvergeSize = true;
    }
    if (_resetScales !== false) {
      let xsc = scaleX;
      if (xsc.auto(self, viaAutoScaleX)) autoScaleX();
      else _setScale(xScaleKey, xsc.min, xsc.max);
      shouldSetCursor = shouldSetCursor || cursor.left >= 0;
      shouldSetLegend = true;
      commit();
    }
  }
  self.setData = setData;
  function autoScaleX() {
    viaAutoScaleX = true;
    let _min, _max;
    if (mode == 1) {
      if (dataLen > 0) {
        i0 = idxs[0] = 0;
        i1 = idxs[1] = dataLen - 1;
        _min = data[0][i0];
        _max = data[0][i1];
        if (xScaleDistr == 2) {
          _min = i0;
          _max = i1;
        } else if (_min == _max) {
          if (xScaleDistr == 3) [_min, _max] = rangeLog(_min, _min, scaleX.log, false);
          else if (xScaleDistr == 4) [_min, _max] = rangeAsinh(_min, _min, scaleX.log, false);
          else if (scaleX.time) _max = _min + round(86400 / ms);
          else [_min, _max] = rangeNum(_min, _max, rangePad, true);
        }
      } else {
        i0 = idxs[0] = _min = null;
        i1 = idxs[1] = _max = null;
      }
    }
    _setScale(xScaleKey, _min, _max);
  }
  let ctxStroke, ctxFill, ctxWidth, ctxDash, ctxJoin, ctxCap, ctxFont, ctxAlign, ctxBaseline;
  let ctxAlpha;
  function setCtxStyle(stroke, width, dash, cap, fill, join2) {
    stroke ??= transparent;
    dash ??= EMPTY_ARR;
    cap ??= "butt";
    fill ??= transparent;
    join2 ??= "round";
    if (stroke != ctxStroke) ctx.strokeStyle = ctxStroke = stroke;
    if (fill != ctxFill) ctx.fillStyle = ctxFill = fill;
    if (width != ctxWidth) ctx.lineWidth = ctxWidth = width;
    if (join2 != ctxJoin) ctx.lineJoin = ctxJoin = join2;
    if (cap != ctxCap) ctx.lineCap = ctxCap = cap;
    if (dash != ctxDash) ctx.setLineDash(ctxDash = dash);
  }
  function setFontStyle(font2, fill, align, baseline) {
    if (fill != ctxFill) ctx.fillStyle = ctxFill = fill;
    if (font2 != ctxFont) ctx.font = ctxFont = font2;
    if (align != ctxAlign) ctx.textAlign = ctxAlign = align;
    if (baseline != ctxBaseline) ctx.textBaseline = ctxBaseline = baseline;
  }
  function accScale(wsc, psc, facet2, data2, sorted = 0) {
    if (data2.length > 0 && wsc.auto(self, viaAutoScaleX) && (psc == null || psc.min == null)) {
      let _i0 = ifNull(i0, 0);
      let _i1 = ifNull(i1, data2.length - 1);
      let minMax = facet2.min == null ? getMinMax(data2, _i0, _i1, sorted, wsc.distr == 3) : [
        facet2.min,
        facet2.max
      ];
      wsc.min = min(wsc.min, facet2.min = minMax[0]);
      wsc.max = max(wsc.max, facet2.max = minMax[1]);
    }
  }
  const AUTOSCALE = {
    min: null,
    max: null
  };
  function setScales() {
    for (let k in scales) {
      let sc = scales[k];
      if (pendScales[k] == null && // scales that have never been set (on init)
      (sc.min == null || // or auto scales when the x scale was explicitly set
      pendScales[xScaleKey] != null && sc.auto(self, viaAutoScaleX))) {
        pendScales[k] = AUTOSCALE;
      }
    }
    for (let k in scales) {
      let sc = scales[k];
      if (pendScales[k] == null && sc.from != null && pendScales[sc.from] != null) pendScales[k] = AUTOSCALE;
    }
    if (pendScales[xScaleKey] != null) resetYSeries(true);
    let wipScales = {};
    for (let k in pendScales) {
      let psc = pendScales[k];
      if (psc != null) {
        let wsc = wipScales[k] = copy(scales[k], fastIsObj);
        if (psc.min != null) assign(wsc, psc);
        else if (k != xScaleKey || mode == 2) {
          if (dataLen == 0 && wsc.from == null) {
            let minMax = wsc.range(self, null, null, k);
            wsc.min = minMax[0];
            wsc.max = minMax[1];
          } else {
            wsc.min = inf;
            wsc.max = -inf;
          }
        }
      }
    }
    if (dataLen > 0) {
      series.forEach((s, i) => {
        if (mode == 1) {
          let k = s.scale;
          let psc = pendScales[k];
          if (psc == null) return;
          let wsc = wipScales[k];
          if (i == 0) {
            let minMax = wsc.range(self, wsc.min, wsc.max, k);
            wsc.min = minMax[0];
            wsc.max = minMax[1];
            i0 = closestIdx(wsc.min, data[0]);
            i1 = closestIdx(wsc.max, data[0]);
            if (i1 - i0 > 1) {
              if (data[0][i0] < wsc.min) i0++;
              if (data[0][i1] > wsc.max) i1--;
            }
            s.min = data0[i0];
            s.max = data0[i1];
          } else if (s.show && s.auto) accScale(wsc, psc, s, data[i], s.sorted);
          s.idxs[0] = i0;
          s.idxs[1] = i1;
        } else {
          if (i > 0) {
            if (s.show && s.auto) {
              let [xFacet, yFacet] = s.facets;
              let xScaleKey2 = xFacet.scale;
              let yScaleKey = yFacet.scale;
              let [xData, yData] = data[i];
              let wscx = wipScales[xScaleKey2];
              let wscy = wipScales[yScaleKey];
              wscx != null && accScale(wscx, pendScales[xScaleKey2], xFacet, xData, xFacet.sorted);
              wscy != null && accScale(wscy, pendScales[yScaleKey], yFacet, yData, yFacet.sorted);
              s.min = yFacet.min;
              s.max = yFacet.max;
            }
          }
        }
      });
      for (let k in wipScales) {
        let wsc = wipScales[k];
        let psc = pendScales[k];
        if (wsc.from == null && (psc == null || psc.min == null)) {
          let minMax = wsc.range(self, wsc.min == inf ? null : wsc.min, wsc.max == -inf ? null : wsc.max, k);
          wsc.min = minMax[0];
          wsc.max = minMax[1];
        }
      }
    }
    for (let k in wipScales) {
      let wsc = wipScales[k];
      if (wsc.from != null) {
        let base = wipScales[wsc.from];
        if (base.min == null) wsc.min = wsc.max = null;
        else {
          let minMax = wsc.range(self, base.min, base.max, k);
          wsc.min = minMax[0];
          wsc.max = minMax[1];
        }
      }
    }
    let changed = {};
    let anyChanged = false;
    for (let k in wipScales) {
      let wsc = wipScales[k];
      let sc = scales[k];
      if (sc.min != wsc.min || sc.max != wsc.max) {
        sc.min = wsc.min;
        sc.max = wsc.max;
        let distr = sc.distr;
        sc._min = distr == 3 ? log10(sc.min) : distr == 4 ? asinh(sc.min, sc.asinh) : distr == 100 ? sc.fwd(sc.min) : sc.min;
        sc._max = distr == 3 ? log10(sc.max) : distr == 4 ? asinh(sc.max, sc.asinh) : distr == 100 ? sc.fwd(sc.max) : sc.max;
        changed[k] = anyChanged = true;
      }
    }
    if (anyChanged) {
      series.forEach((s, i) => {
        if (mode == 2) {
          if (i > 0 && changed.y) s._paths = null;
        } else {
          if (changed[s.scale]) s._paths = null;
        }
      });
      for (let k in changed) {
        shouldConvergeSize = true;
        fire("setScale", k);
      }
      if (showCursor && cursor.left >= 0) shouldSetCursor = shouldSetLegend = true;
    }
    for (let k in pendScales) pendScales[k] = null;
  }
  function getOuterIdxs(ydata) {
    let _i0 = clamp(i0 - 1, 0, dataLen - 1);
    let _i1 = clamp(i1 + 1, 0, dataLen - 1);
    while (ydata[_i0] == null && _i0 > 0) _i0--;
    while (ydata[_i1] == null && _i1 < dataLen - 1) _i1++;
    return [
      _i0,
      _i1
    ];
  }
  function drawSeries() {
    if (dataLen > 0) {
      let shouldAlpha = series.some((s) => s._focus) && ctxAlpha != focus.alpha;
      if (shouldAlpha) ctx.globalAlpha = ctxAlpha = focus.alpha;
      series.forEach((s, i) => {
        if (i > 0 && s.show) {
          cacheStrokeFill(i, false);
          cacheStrokeFill(i, true);
          if (s._paths == null) {
            let _ctxAlpha = ctxAlpha;
            if (ctxAlpha != s.alpha) ctx.globalAlpha = ctxAlpha = s.alpha;
            let _idxs = mode == 2 ? [
              0,
              data[i][0].length - 1
            ] : getOuterIdxs(data[i]);
            s._paths = s.paths(self, i, _idxs[0], _idxs[1]);
            if (ctxAlpha != _ctxAlpha) ctx.globalAlpha = ctxAlpha = _ctxAlpha;
          }
        }
      });
      series.forEach((s, i) => {
        if (i > 0 && s.show) {
          let _ctxAlpha = ctxAlpha;
          if (ctxAlpha != s.alpha) ctx.globalAlpha = ctxAlpha = s.alpha;
          s._paths != null && drawPath(i, false);
          {
            let _gaps = s._paths != null ? s._paths.gaps : null;
            let show2 = s.points.show(self, i, i0, i1, _gaps);
            let idxs2 = s.points.filter(self, i, show2, _gaps);
            if (show2 || idxs2) {
              s.points._paths = s.points.paths(self, i, i0, i1, idxs2);
              drawPath(i, true);
            }
          }
          if (ctxAlpha != _ctxAlpha) ctx.globalAlpha = ctxAlpha = _ctxAlpha;
          fire("drawSeries", i);
        }
      });
      if (shouldAlpha) ctx.globalAlpha = ctxAlpha = 1;
    }
  }
  function cacheStrokeFill(si, _points) {
    let s = _points ? series[si].points : series[si];
    s._stroke = s.stroke(self, si);
    s._fill = s.fill(self, si);
  }
  function drawPath(si, _points) {
    let s = _points ? series[si].points : series[si];
    let { stroke, fill, clip: gapsClip, flags, _stroke: strokeStyle = s._stroke, _fill: fillStyle = s._fill, _width: width = s.width } = s._paths;
    width = roundDec(width * pxRatio, 3);
    let boundsClip = null;
    let offset = width % 2 / 2;
    if (_points && fillStyle == null) fillStyle = width > 0 ? "#fff" : strokeStyle;
    let _pxAlign = s.pxAlign == 1 && offset > 0;
    _pxAlign && ctx.translate(offset, offset);
    if (!_points) {
      let lft = plotLft - width / 2, top = plotTop - width / 2, wid = plotWid + width, hgt = plotHgt + width;
      boundsClip = new Path2D();
      boundsClip.rect(lft, top, wid, hgt);
    }
    if (_points) strokeFill(strokeStyle, width, s.dash, s.cap, fillStyle, stroke, fill, flags, gapsClip);
    else fillStroke(si, strokeStyle, width, s.dash, s.cap, fillStyle, stroke, fill, flags, boundsClip, gapsClip);
    _pxAlign && ctx.translate(-offset, -offset);
  }
  function fillStroke(si, strokeStyle, lineWidth, lineDash, lineCap, fillStyle, strokePath, fillPath, flags, boundsClip, gapsClip) {
    let didStrokeFill = false;
    flags != 0 && bands.forEach((b, bi) => {
      if (b.series[0] == si) {
        let lowerEdge = series[b.series[1]];
        let lowerData = data[b.series[1]];
        let bandClip = (lowerEdge._paths || EMPTY_OBJ).band;
        if (isArr(bandClip)) bandClip = b.dir == 1 ? bandClip[0] : bandClip[1];
        let gapsClip2;
        let _fillStyle = null;
        if (lowerEdge.show && bandClip && hasData(lowerData, i0, i1)) {
          _fillStyle = b.fill(self, bi) || fillStyle;
          gapsClip2 = lowerEdge._paths.clip;
        } else bandClip = null;
        strokeFill(strokeStyle, lineWidth, lineDash, lineCap, _fillStyle, strokePath, fillPath, flags, boundsClip, gapsClip, gapsClip2, bandClip);
        didStrokeFill = true;
      }
    });
    if (!didStrokeFill) strokeFill(strokeStyle, lineWidth, lineDash, lineCap, fillStyle, strokePath, fillPath, flags, boundsClip, gapsClip);
  }
  const CLIP_FILL_STROKE = BAND_CLIP_FILL | BAND_CLIP_STROKE;
  function strokeFill(strokeStyle, lineWidth, lineDash, lineCap, fillStyle, strokePath, fillPath, flags, boundsClip, gapsClip, gapsClip2, bandClip) {
    setCtxStyle(strokeStyle, lineWidth, lineDash, lineCap, fillStyle);
    if (boundsClip || gapsClip || bandClip) {
      ctx.save();
      boundsClip && ctx.clip(boundsClip);
      gapsClip && ctx.clip(gapsClip);
    }
    if (bandClip) {
      if ((flags & CLIP_FILL_STROKE) == CLIP_FILL_STROKE) {
        ctx.clip(bandClip);
        gapsClip2 && ctx.clip(gapsClip2);
        doFill(fillStyle, fillPath);
        doStroke(strokeStyle, strokePath, lineWidth);
      } else if (flags & BAND_CLIP_STROKE) {
        doFill(fillStyle, fillPath);
        ctx.clip(bandClip);
        doStroke(strokeStyle, strokePath, lineWidth);
      } else if (flags & BAND_CLIP_FILL) {
        ctx.save();
        ctx.clip(bandClip);
        gapsClip2 && ctx.clip(gapsClip2);
        doFill(fillStyle, fillPath);
        ctx.restore();
        doStroke(strokeStyle, strokePath, lineWidth);
      }
    } else {
      doFill(fillStyle, fillPath);
      doStroke(strokeStyle, strokePath, lineWidth);
    }
    if (boundsClip || gapsClip || bandClip) ctx.restore();
  }
  function doStroke(strokeStyle, strokePath, lineWidth) {
    if (lineWidth > 0) {
      if (strokePath instanceof Map) {
        strokePath.forEach((strokePath2, strokeStyle2) => {
          ctx.strokeStyle = ctxStroke = strokeStyle2;
          ctx.stroke(strokePath2);
        });
      } else strokePath != null && strokeStyle && ctx.stroke(strokePath);
    }
  }
  function doFill(fillStyle, fillPath) {
    if (fillPath instanceof Map) {
      fillPath.forEach((fillPath2, fillStyle2) => {
        ctx.fillStyle = ctxFill = fillStyle2;
        ctx.fill(fillPath2);
      });
    } else fillPath != null && fillStyle && ctx.fill(fillPath);
  }
  function getIncrSpace(axisIdx, min2, max2, fullDim) {
    let axis = axes[axisIdx];
    let incrSpace;
    if (fullDim <= 0) incrSpace = [
      0,
      0
    ];
    else {
      let minSpace = axis._space = axis.space(self, axisIdx, min2, max2, fullDim);
      let incrs = axis._incrs = axis.incrs(self, axisIdx, min2, max2, fullDim, minSpace);
      incrSpace = findIncr(min2, max2, incrs, fullDim, minSpace);
    }
    return axis._found = incrSpace;
  }
  function drawOrthoLines(offs, filts, ori, side, pos0, len, width, stroke, dash, cap) {
    let offset = width % 2 / 2;
    pxAlign == 1 && ctx.translate(offset, offset);
    setCtxStyle(stroke, width, dash, cap, stroke);
    ctx.beginPath();
    let x0, y0, x1, y1, pos1 = pos0 + (side == 0 || side == 3 ? -len : len);
    if (ori == 0) {
      y0 = pos0;
      y1 = pos1;
    } else {
      x0 = pos0;
      x1 = pos1;
    }
    for (let i = 0; i < offs.length; i++) {
      if (filts[i] != null) {
        if (ori == 0) x0 = x1 = offs[i];
        else y0 = y1 = offs[i];
        ctx.moveTo(x0, y0);
        ctx.lineTo(x1, y1);
      }
    }
    ctx.stroke();
    pxAlign == 1 && ctx.translate(-offset, -offset);
  }
  function axesCalc(cycleNum) {
    let converged = true;
    axes.forEach((axis, i) => {
      if (!axis.show) return;
      let scale = scales[axis.scale];
      if (scale.min == null) {
        if (axis._show) {
          converged = false;
          axis._show = false;
          resetYSeries(false);
        }
        return;
      } else {
        if (!axis._show) {
          converged = false;
          axis._show = true;
          resetYSeries(false);
        }
      }
      let side = axis.side;
      let ori = side % 2;
      let { min: min2, max: max2 } = scale;
      let [_incr, _space] = getIncrSpace(i, min2, max2, ori == 0 ? plotWidCss : plotHgtCss);
      if (_space == 0) return;
      let forceMin = scale.distr == 2;
      let _splits = axis._splits = axis.splits(self, i, min2, max2, _incr, _space, forceMin);
      let splits = scale.distr == 2 ? _splits.map((i2) => data0[i2]) : _splits;
      let incr = scale.distr == 2 ? data0[_splits[1]] - data0[_splits[0]] : _incr;
      let values = axis._values = axis.values(self, axis.filter(self, splits, i, _space, incr), i, _space, incr);
      axis._rotate = side == 2 ? axis.rotate(self, values, i, _space) : 0;
      let oldSize = axis._size;
      axis._size = ceil(axis.size(self, values, i, cycleNum));
      if (oldSize != null && axis._size != oldSize) converged = false;
    });
    return converged;
  }
  function paddingCalc(cycleNum) {
    let converged = true;
    padding.forEach((p, i) => {
      let _p = p(self, i, sidesWithAxes, cycleNum);
      if (_p != _padding[i]) converged = false;
      _padding[i] = _p;
    });
    return converged;
  }
  function drawAxesGrid() {
    for (let i = 0; i < axes.length; i++) {
      let axis = axes[i];
      if (!axis.show || !axis._show) continue;
      let side = axis.side;
      let ori = side % 2;
      let x, y;
      let fillStyle = axis.stroke(self, i);
      let shiftDir = side == 0 || side == 3 ? -1 : 1;
      let [_incr, _space] = axis._found;
      if (axis.label != null) {
        let shiftAmt2 = axis.labelGap * shiftDir;
        let baseLpos = round((axis._lpos + shiftAmt2) * pxRatio);
        setFontStyle(axis.labelFont[0], fillStyle, "center", side == 2 ? TOP : BOTTOM);
        ctx.save();
        if (ori == 1) {
          x = y = 0;
          ctx.translate(baseLpos, round(plotTop + plotHgt / 2));
          ctx.rotate((side == 3 ? -PI : PI) / 2);
        } else {
          x = round(plotLft + plotWid / 2);
          y = baseLpos;
        }
        let _label = isFn(axis.label) ? axis.label(self, i, _incr, _space) : axis.label;
        ctx.fillText(_label, x, y);
        ctx.restore();
      }
      if (_space == 0) continue;
      let scale = scales[axis.scale];
      let plotDim = ori == 0 ? plotWid : plotHgt;
      let plotOff = ori == 0 ? plotLft : plotTop;
      let _splits = axis._splits;
      let splits = scale.distr == 2 ? _splits.map((i2) => data0[i2]) : _splits;
      let incr = scale.distr == 2 ? data0[_splits[1]] - data0[_splits[0]] : _incr;
      let ticks2 = axis.ticks;
      let border2 = axis.border;
      let _tickSize = ticks2.show ? ticks2.size : 0;
      let tickSize = round(_tickSize * pxRatio);
      let axisGap = round((axis.alignTo == 2 ? axis._size - _tickSize - axis.gap : axis.gap) * pxRatio);
      let angle = axis._rotate * -PI / 180;
      let basePos = pxRound(axis._pos * pxRatio);
      let shiftAmt = (tickSize + axisGap) * shiftDir;
      let finalPos = basePos + shiftAmt;
      y = ori == 0 ? finalPos : 0;
      x = ori == 1 ? finalPos : 0;
      let font2 = axis.font[0];
      let textAlign = axis.align == 1 ? LEFT : axis.align == 2 ? RIGHT : angle > 0 ? LEFT : angle < 0 ? RIGHT : ori == 0 ? "center" : side == 3 ? RIGHT : LEFT;
      let textBaseline = angle || ori == 1 ? "middle" : side == 2 ? TOP : BOTTOM;
      setFontStyle(font2, fillStyle, textAlign, textBaseline);
      let lineHeight = axis.font[1] * axis.lineGap;
      let canOffs = _splits.map((val) => pxRound(getPos(val, scale, plotDim, plotOff)));
      let _values = axis._values;
      for (let i2 = 0; i2 < _values.length; i2++) {
        let val = _values[i2];
        if (val != null) {
          if (ori == 0) x = canOffs[i2];
          else y = canOffs[i2];
          val = "" + val;
          let _parts = val.indexOf("\n") == -1 ? [
            val
          ] : val.split(/\n/gm);
          for (let j = 0; j < _parts.length; j++) {
            let text = _parts[j];
            if (angle) {
              ctx.save();
              ctx.translate(x, y + j * lineHeight);
              ctx.rotate(angle);
              ctx.fillText(text, 0, 0);
              ctx.restore();
            } else ctx.fillText(text, x, y + j * lineHeight);
          }
        }
      }
      if (ticks2.show) {
        drawOrthoLines(canOffs, ticks2.filter(self, splits, i, _space, incr), ori, side, basePos, tickSize, roundDec(ticks2.width * pxRatio, 3), ticks2.stroke(self, i), ticks2.dash, ticks2.cap);
      }
      let grid2 = axis.grid;
      if (grid2.show) {
        drawOrthoLines(canOffs, grid2.filter(self, splits, i, _space, incr), ori, ori == 0 ? 2 : 1, ori == 0 ? plotTop : plotLft, ori == 0 ? plotHgt : plotWid, roundDec(grid2.width * pxRatio, 3), grid2.stroke(self, i), grid2.dash, grid2.cap);
      }
      if (border2.show) {
        drawOrthoLines([
          basePos
        ], [
          1
        ], ori == 0 ? 1 : 0, ori == 0 ? 1 : 2, ori == 1 ? plotTop : plotLft, ori == 1 ? plotHgt : plotWid, roundDec(border2.width * pxRatio, 3), border2.stroke(self, i), border2.dash, border2.cap);
      }
    }
    fire("drawAxes");
  }
  function resetYSeries(minMax) {
    series.forEach((s, i) => {
      if (i > 0) {
        s._paths = null;
        if (minMax) {
          if (mode == 1) {
            s.min = null;
            s.max = null;
          } else {
            s.facets.forEach((f) => {
              f.min = null;
              f.max = null;
            });
          }
        }
      }
    });
  }
  let queuedCommit = false;
  let deferHooks = false;
  let hooksQueue = [];
  function flushHooks() {
    deferHooks = false;
    for (let i = 0; i < hooksQueue.length; i++) fire(...hooksQueue[i]);
    hooksQueue.length = 0;
  }
  function commit() {
    if (!queuedCommit) {
      microTask(_commit);
      queuedCommit = true;
    }
  }
  function batch(fn, _deferHooks = false) {
    queuedCommit = true;
    deferHooks = _deferHooks;
    fn(self);
    _commit();
    if (_deferHooks && hooksQueue.length > 0) queueMicrotask(flushHooks);
  }
  self.batch = batch;
  function _commit() {
    if (shouldSetScales) {
      setScales();
      shouldSetScales = false;
    }
    if (shouldConvergeSize) {
      convergeSize();
      shouldConvergeSize = false;
    }
    if (shouldSetSize) {
      setStylePx(under, LEFT, plotLftCss);
      setStylePx(under, TOP, plotTopCss);
      setStylePx(under, WIDTH, plotWidCss);
      setStylePx(under, HEIGHT, plotHgtCss);
      setStylePx(over, LEFT, plotLftCss);
      setStylePx(over, TOP, plotTopCss);
      setStylePx(over, WIDTH, plotWidCss);
      setStylePx(over, HEIGHT, plotHgtCss);
      setStylePx(wrap, WIDTH, fullWidCss);
      setStylePx(wrap, HEIGHT, fullHgtCss);
      can.width = round(fullWidCss * pxRatio);
      can.height = round(fullHgtCss * pxRatio);
      axes.forEach(({ _el, _show, _size, _pos, side }) => {
        if (_el != null) {
          if (_show) {
            let posOffset = side === 3 || side === 0 ? _size : 0;
            let isVt = side % 2 == 1;
            setStylePx(_el, isVt ? "left" : "top", _pos - posOffset);
            setStylePx(_el, isVt ? "width" : "height", _size);
            setStylePx(_el, isVt ? "top" : "left", isVt ? plotTopCss : plotLftCss);
            setStylePx(_el, isVt ? "height" : "width", isVt ? plotHgtCss : plotWidCss);
            remClass(_el, OFF);
          } else addClass(_el, OFF);
        }
      });
      ctxStroke = ctxFill = ctxWidth = ctxJoin = ctxCap = ctxFont = ctxAlign = ctxBaseline = ctxDash = null;
      ctxAlpha = 1;
      syncRect(true);
      if (plotLftCss != _plotLftCss || plotTopCss != _plotTopCss || plotWidCss != _plotWidCss || plotHgtCss != _plotHgtCss) {
        resetYSeries(false);
        let pctWid = plotWidCss / _plotWidCss;
        let pctHgt = plotHgtCss / _plotHgtCss;
        if (showCursor && !shouldSetCursor && cursor.left >= 0) {
          cursor.left *= pctWid;
          cursor.top *= pctHgt;
          vCursor && elTrans(vCursor, round(cursor.left), 0, plotWidCss, plotHgtCss);
          hCursor && elTrans(hCursor, 0, round(cursor.top), plotWidCss, plotHgtCss);
          for (let i = 0; i < cursorPts.length; i++) {
            let pt = cursorPts[i];
            if (pt != null) {
              cursorPtsLft[i] *= pctWid;
              cursorPtsTop[i] *= pctHgt;
              elTrans(pt, ceil(cursorPtsLft[i]), ceil(cursorPtsTop[i]), plotWidCss, plotHgtCss);
            }
          }
        }
        if (select.show && !shouldSetSelect && select.left >= 0 && select.width > 0) {
          select.left *= pctWid;
          select.width *= pctWid;
          select.top *= pctHgt;
          select.height *= pctHgt;
          for (let prop in _hideProps) setStylePx(selectDiv, prop, select[prop]);
        }
        _plotLftCss = plotLftCss;
        _plotTopCss = plotTopCss;
        _plotWidCss = plotWidCss;
        _plotHgtCss = plotHgtCss;
      }
      fire("setSize");
      shouldSetSize = false;
    }
    if (fullWidCss > 0 && fullHgtCss > 0) {
      ctx.clearRect(0, 0, can.width, can.height);
      fire("drawClear");
      drawOrder.forEach((fn) => fn());
      fire("draw");
    }
    if (select.show && shouldSetSelect) {
      setSelect(select);
      shouldSetSelect = false;
    }
    if (showCursor && shouldSetCursor) {
      updateCursor(null, true, false);
      shouldSetCursor = false;
    }
    if (legend.show && legend.live && shouldSetLegend) {
      setLegend();
      shouldSetLegend = false;
    }
    if (!ready) {
      ready = true;
      self.status = 1;
      fire("ready");
    }
    viaAutoScaleX = false;
    queuedCommit = false;
  }
  self.redraw = (rebuildPaths, recalcAxes) => {
    shouldConvergeSize = recalcAxes || false;
    if (rebuildPaths !== false) _setScale(xScaleKey, scaleX.min, scaleX.max);
    else commit();
  };
  function setScale(key2, opts2) {
    let sc = scales[key2];
    if (sc.from == null) {
      if (dataLen == 0) {
        let minMax = sc.range(self, opts2.min, opts2.max, key2);
        opts2.min = minMax[0];
        opts2.max = minMax[1];
      }
      if (opts2.min > opts2.max) {
        let _min = opts2.min;
        opts2.min = opts2.max;
        opts2.max = _min;
      }
      if (dataLen > 1 && opts2.min != null && opts2.max != null && opts2.max - opts2.min < 1e-16) return;
      if (key2 == xScaleKey) {
        if (sc.distr == 2 && dataLen > 0) {
          opts2.min = closestIdx(opts2.min, data[0]);
          opts2.max = closestIdx(opts2.max, data[0]);
          if (opts2.min == opts2.max) opts2.max++;
        }
      }
      pendScales[key2] = opts2;
      shouldSetScales = true;
      commit();
    }
  }
  self.setScale = setScale;
  let xCursor;
  let yCursor;
  let vCursor;
  let hCursor;
  let rawMouseLeft0;
  let rawMouseTop0;
  let mouseLeft0;
  let mouseTop0;
  let rawMouseLeft1;
  let rawMouseTop1;
  let mouseLeft1;
  let mouseTop1;
  let dragging = false;
  const drag = cursor.drag;
  let dragX = drag.x;
  let dragY = drag.y;
  if (showCursor) {
    if (cursor.x) xCursor = placeDiv(CURSOR_X, over);
    if (cursor.y) yCursor = placeDiv(CURSOR_Y, over);
    if (scaleX.ori == 0) {
      vCursor = xCursor;
      hCursor = yCursor;
    } else {
      vCursor = yCursor;
      hCursor = xCursor;
    }
    mouseLeft1 = cursor.left;
    mouseTop1 = cursor.top;
  }
  const select = self.select = assign({
    show: true,
    over: true,
    left: 0,
    width: 0,
    top: 0,
    height: 0
  }, opts.select);
  const selectDiv = select.show ? placeDiv(SELECT, select.over ? over : under) : null;
  function setSelect(opts2, _fire) {
    if (select.show) {
      for (let prop in opts2) {
        select[prop] = opts2[prop];
        if (prop in _hideProps) setStylePx(selectDiv, prop, opts2[prop]);
      }
      _fire !== false && fire("setSelect");
    }
  }
  self.setSelect = setSelect;
  function toggleDOM(i) {
    let s = series[i];
    if (s.show) showLegend && remClass(legendRows[i], OFF);
    else {
      showLegend && addClass(legendRows[i], OFF);
      if (showCursor) {
        let pt = cursorOnePt ? cursorPts[0] : cursorPts[i];
        pt != null && elTrans(pt, -10, -10, plotWidCss, plotHgtCss);
      }
    }
  }
  function _setScale(key2, min2, max2) {
    setScale(key2, {
      min: min2,
      max: max2
    });
  }
  function setSeries(i, opts2, _fire, _pub) {
    if (opts2.focus != null) setFocus(i);
    if (opts2.show != null) {
      series.forEach((s, si) => {
        if (si > 0 && (i == si || i == null)) {
          s.show = opts2.show;
          toggleDOM(si);
          if (mode == 2) {
            _setScale(s.facets[0].scale, null, null);
            _setScale(s.facets[1].scale, null, null);
          } else _setScale(s.scale, null, null);
          commit();
        }
      });
    }
    _fire !== false && fire("setSeries", i, opts2);
    _pub && pubSync("setSeries", self, i, opts2);
  }
  self.setSeries = setSeries;
  function setBand(bi, opts2) {
    assign(bands[bi], opts2);
  }
  function addBand(opts2, bi) {
    opts2.fill = fnOrSelf(opts2.fill || null);
    opts2.dir = ifNull(opts2.dir, -1);
    bi = bi == null ? bands.length : bi;
    bands.splice(bi, 0, opts2);
  }
  function delBand(bi) {
    if (bi == null) bands.length = 0;
    else bands.splice(bi, 1);
  }
  self.addBand = addBand;
  self.setBand = setBand;
  self.delBand = delBand;
  function setAlpha(i, value) {
    series[i].alpha = value;
    if (showCursor && cursorPts[i] != null) cursorPts[i].style.opacity = value;
    if (showLegend && legendRows[i]) legendRows[i].style.opacity = value;
  }
  let closestDist;
  let closestSeries;
  let focusedSeries;
  const FOCUS_TRUE = {
    focus: true
  };
  function setFocus(i) {
    if (i != focusedSeries) {
      let allFocused = i == null;
      let _setAlpha = focus.alpha != 1;
      series.forEach((s, i2) => {
        if (mode == 1 || i2 > 0) {
          let isFocused = allFocused || i2 == 0 || i2 == i;
          s._focus = allFocused ? null : isFocused;
          _setAlpha && setAlpha(i2, isFocused ? 1 : focus.alpha);
        }
      });
      focusedSeries = i;
      _setAlpha && commit();
    }
  }
  if (showLegend && cursorFocus) {
    onMouse(mouseleave, legendTable, (e) => {
      if (cursor._lock) return;
      setCursorEvent(e);
      if (focusedSeries != null) setSeries(null, FOCUS_TRUE, true, syncOpts.setSeries);
    });
  }
  function posToVal(pos, scale, can2) {
    let sc = scales[scale];
    if (can2) pos = pos / pxRatio - (sc.ori == 1 ? plotTopCss : plotLftCss);
    let dim = plotWidCss;
    if (sc.ori == 1) {
      dim = plotHgtCss;
      pos = dim - pos;
    }
    if (sc.dir == -1) pos = dim - pos;
    let _min = sc._min, _max = sc._max, pct = pos / dim;
    let sv = _min + (_max - _min) * pct;
    let distr = sc.distr;
    return distr == 3 ? pow(10, sv) : distr == 4 ? sinh(sv, sc.asinh) : distr == 100 ? sc.bwd(sv) : sv;
  }
  function closestIdxFromXpos(pos, can2) {
    let v = posToVal(pos, xScaleKey, can2);
    return closestIdx(v, data[0], i0, i1);
  }
  self.valToIdx = (val) => closestIdx(val, data[0]);
  self.posToIdx = closestIdxFromXpos;
  self.posToVal = posToVal;
  self.valToPos = (val, scale, can2) => scales[scale].ori == 0 ? getHPos(val, scales[scale], can2 ? plotWid : plotWidCss, can2 ? plotLft : 0) : getVPos(val, scales[scale], can2 ? plotHgt : plotHgtCss, can2 ? plotTop : 0);
  self.setCursor = (opts2, _fire, _pub) => {
    mouseLeft1 = opts2.left;
    mouseTop1 = opts2.top;
    updateCursor(null, _fire, _pub);
  };
  function setSelH(off2, dim) {
    setStylePx(selectDiv, LEFT, select.left = off2);
    setStylePx(selectDiv, WIDTH, select.width = dim);
  }
  function setSelV(off2, dim) {
    setStylePx(selectDiv, TOP, select.top = off2);
    setStylePx(selectDiv, HEIGHT, select.height = dim);
  }
  let setSelX = scaleX.ori == 0 ? setSelH : setSelV;
  let setSelY = scaleX.ori == 1 ? setSelH : setSelV;
  function syncLegend() {
    if (showLegend && legend.live) {
      for (let i = mode == 2 ? 1 : 0; i < series.length; i++) {
        if (i == 0 && multiValLegend) continue;
        let vals = legend.values[i];
        let j = 0;
        for (let k in vals) legendCells[i][j++].firstChild.nodeValue = vals[k];
      }
    }
  }
  function setLegend(opts2, _fire) {
    if (opts2 != null) {
      if (opts2.idxs) {
        opts2.idxs.forEach((didx, sidx) => {
          activeIdxs[sidx] = didx;
        });
      } else if (!isUndef(opts2.idx)) activeIdxs.fill(opts2.idx);
      legend.idx = activeIdxs[0];
    }
    if (showLegend && legend.live) {
      for (let sidx = 0; sidx < series.length; sidx++) {
        if (sidx > 0 || mode == 1 && !multiValLegend) setLegendValues(sidx, activeIdxs[sidx]);
      }
      syncLegend();
    }
    shouldSetLegend = false;
    _fire !== false && fire("setLegend");
  }
  self.setLegend = setLegend;
  function setLegendValues(sidx, idx) {
    let s = series[sidx];
    let src = sidx == 0 && xScaleDistr == 2 ? data0 : data[sidx];
    let val;
    if (multiValLegend) val = s.values(self, sidx, idx) ?? NULL_LEGEND_VALUES;
    else {
      val = s.value(self, idx == null ? null : src[idx], sidx, idx);
      val = val == null ? NULL_LEGEND_VALUES : {
        _: val
      };
    }
    legend.values[sidx] = val;
  }
  function updateCursor(src, _fire, _pub) {
    rawMouseLeft1 = mouseLeft1;
    rawMouseTop1 = mouseTop1;
    [mouseLeft1, mouseTop1] = cursor.move(self, mouseLeft1, mouseTop1);
    cursor.left = mouseLeft1;
    cursor.top = mouseTop1;
    if (showCursor) {
      vCursor && elTrans(vCursor, round(mouseLeft1), 0, plotWidCss, plotHgtCss);
      hCursor && elTrans(hCursor, 0, round(mouseTop1), plotWidCss, plotHgtCss);
    }
    let idx;
    let noDataInRange = i0 > i1;
    closestDist = inf;
    closestSeries = null;
    let xDim = scaleX.ori == 0 ? plotWidCss : plotHgtCss;
    let yDim = scaleX.ori == 1 ? plotWidCss : plotHgtCss;
    if (mouseLeft1 < 0 || dataLen == 0 || noDataInRange) {
      idx = cursor.idx = null;
      for (let i = 0; i < series.length; i++) {
        let pt = cursorPts[i];
        pt != null && elTrans(pt, -10, -10, plotWidCss, plotHgtCss);
      }
      if (cursorFocus) setSeries(null, FOCUS_TRUE, true, src == null && syncOpts.setSeries);
      if (legend.live) {
        activeIdxs.fill(idx);
        shouldSetLegend = true;
      }
    } else {
      let mouseXPos, valAtPosX, xPos;
      if (mode == 1) {
        mouseXPos = scaleX.ori == 0 ? mouseLeft1 : mouseTop1;
        valAtPosX = posToVal(mouseXPos, xScaleKey);
        idx = cursor.idx = closestIdx(valAtPosX, data[0], i0, i1);
        xPos = valToPosX(data[0][idx], scaleX, xDim, 0);
      }
      let _ptLft = -10;
      let _ptTop = -10;
      let _ptWid = 0;
      let _ptHgt = 0;
      let _centered = true;
      let _ptFill = "";
      let _ptStroke = "";
      for (let i = mode == 2 ? 1 : 0; i < series.length; i++) {
        let s = series[i];
        let idx1 = activeIdxs[i];
        let yVal1 = idx1 == null ? null : mode == 1 ? data[i][idx1] : data[i][1][idx1];
        let idx2 = cursor.dataIdx(self, i, idx, valAtPosX);
        let yVal2 = idx2 == null ? null : mode == 1 ? data[i][idx2] : data[i][1][idx2];
        shouldSetLegend = shouldSetLegend || yVal2 != yVal1 || idx2 != idx1;
        activeIdxs[i] = idx2;
        if (i > 0 && s.show) {
          let xPos2 = idx2 == null ? -10 : idx2 == idx ? xPos : valToPosX(mode == 1 ? data[0][idx2] : data[i][0][idx2], scaleX, xDim, 0);
          let yPos = yVal2 == null ? -10 : valToPosY(yVal2, mode == 1 ? scales[s.scale] : scales[s.facets[1].scale], yDim, 0);
          if (cursorFocus && yVal2 != null) {
            let mouseYPos = scaleX.ori == 1 ? mouseLeft1 : mouseTop1;
            let dist = abs(focus.dist(self, i, idx2, yPos, mouseYPos));
            if (dist < closestDist) {
              let bias = focus.bias;
              if (bias != 0) {
                let mouseYVal = posToVal(mouseYPos, s.scale);
                let seriesYValSign = yVal2 >= 0 ? 1 : -1;
                let mouseYValSign = mouseYVal >= 0 ? 1 : -1;
                if (mouseYValSign == seriesYValSign && (mouseYValSign == 1 ? bias == 1 ? yVal2 >= mouseYVal : yVal2 <= mouseYVal : bias == 1 ? yVal2 <= mouseYVal : yVal2 >= mouseYVal)) {
                  closestDist = dist;
                  closestSeries = i;
                }
              } else {
                closestDist = dist;
                closestSeries = i;
              }
            }
          }
          if (shouldSetLegend || cursorOnePt) {
            let hPos, vPos;
            if (scaleX.ori == 0) {
              hPos = xPos2;
              vPos = yPos;
            } else {
              hPos = yPos;
              vPos = xPos2;
            }
            let ptWid, ptHgt, ptLft, ptTop, ptStroke, ptFill, centered = true, getBBox = points2.bbox;
            if (getBBox != null) {
              centered = false;
              let bbox = getBBox(self, i);
              ptLft = bbox.left;
              ptTop = bbox.top;
              ptWid = bbox.width;
              ptHgt = bbox.height;
            } else {
              ptLft = hPos;
              ptTop = vPos;
              ptWid = ptHgt = points2.size(self, i);
            }
            ptFill = points2.fill(self, i);
            ptStroke = points2.stroke(self, i);
            if (cursorOnePt) {
              if (i == closestSeries && closestDist <= focus.prox) {
                _ptLft = ptLft;
                _ptTop = ptTop;
                _ptWid = ptWid;
                _ptHgt = ptHgt;
                _centered = centered;
                _ptFill = ptFill;
                _ptStroke = ptStroke;
              }
            } else {
              let pt = cursorPts[i];
              if (pt != null) {
                cursorPtsLft[i] = ptLft;
                cursorPtsTop[i] = ptTop;
                elSize(pt, ptWid, ptHgt, centered);
                elColor(pt, ptFill, ptStroke);
                elTrans(pt, ceil(ptLft), ceil(ptTop), plotWidCss, plotHgtCss);
              }
            }
          }
        }
      }
      if (cursorOnePt) {
        let p = focus.prox;
        let focusChanged = focusedSeries == null ? closestDist <= p : closestDist > p || closestSeries != focusedSeries;
        if (shouldSetLegend || focusChanged) {
          let pt = cursorPts[0];
          if (pt != null) {
            cursorPtsLft[0] = _ptLft;
            cursorPtsTop[0] = _ptTop;
            elSize(pt, _ptWid, _ptHgt, _centered);
            elColor(pt, _ptFill, _ptStroke);
            elTrans(pt, ceil(_ptLft), ceil(_ptTop), plotWidCss, plotHgtCss);
          }
        }
      }
    }
    if (select.show && dragging) {
      if (src != null) {
        let [xKey, yKey] = syncOpts.scales;
        let [matchXKeys, matchYKeys] = syncOpts.match;
        let [xKeySrc, yKeySrc] = src.cursor.sync.scales;
        let sdrag = src.cursor.drag;
        dragX = sdrag._x;
        dragY = sdrag._y;
        if (dragX || dragY) {
          let { left, top, width, height } = src.select;
          let sori = src.scales[xKeySrc].ori;
          let sPosToVal = src.posToVal;
          let sOff, sDim, sc, a, b;
          let matchingX = xKey != null && matchXKeys(xKey, xKeySrc);
          let matchingY = yKey != null && matchYKeys(yKey, yKeySrc);
          if (matchingX && dragX) {
            if (sori == 0) {
              sOff = left;
              sDim = width;
            } else {
              sOff = top;
              sDim = height;
            }
            sc = scales[xKey];
            a = valToPosX(sPosToVal(sOff, xKeySrc), sc, xDim, 0);
            b = valToPosX(sPosToVal(sOff + sDim, xKeySrc), sc, xDim, 0);
            setSelX(min(a, b), abs(b - a));
          } else setSelX(0, xDim);
          if (matchingY && dragY) {
            if (sori == 1) {
              sOff = left;
              sDim = width;
            } else {
              sOff = top;
              sDim = height;
            }
            sc = scales[yKey];
            a = valToPosY(sPosToVal(sOff, yKeySrc), sc, yDim, 0);
            b = valToPosY(sPosToVal(sOff + sDim, yKeySrc), sc, yDim, 0);
            setSelY(min(a, b), abs(b - a));
          } else setSelY(0, yDim);
        } else hideSelect();
      } else {
        let rawDX = abs(rawMouseLeft1 - rawMouseLeft0);
        let rawDY = abs(rawMouseTop1 - rawMouseTop0);
        if (scaleX.ori == 1) {
          let _rawDX = rawDX;
          rawDX = rawDY;
          rawDY = _rawDX;
        }
        dragX = drag.x && rawDX >= drag.dist;
        dragY = drag.y && rawDY >= drag.dist;
        let uni = drag.uni;
        if (uni != null) {
          if (dragX && dragY) {
            dragX = rawDX >= uni;
            dragY = rawDY >= uni;
            if (!dragX && !dragY) {
              if (rawDY > rawDX) dragY = true;
              else dragX = true;
            }
          }
        } else if (drag.x && drag.y && (dragX || dragY))
          dragX = dragY = true;
        let p0, p1;
        if (dragX) {
          if (scaleX.ori == 0) {
            p0 = mouseLeft0;
            p1 = mouseLeft1;
          } else {
            p0 = mouseTop0;
            p1 = mouseTop1;
          }
          setSelX(min(p0, p1), abs(p1 - p0));
          if (!dragY) setSelY(0, yDim);
        }
        if (dragY) {
          if (scaleX.ori == 1) {
            p0 = mouseLeft0;
            p1 = mouseLeft1;
          } else {
            p0 = mouseTop0;
            p1 = mouseTop1;
          }
          setSelY(min(p0, p1), abs(p1 - p0));
          if (!dragX) setSelX(0, xDim);
        }
        if (!dragX && !dragY) {
          setSelX(0, 0);
          setSelY(0, 0);
        }
      }
    }
    drag._x = dragX;
    drag._y = dragY;
    if (src == null) {
      if (_pub) {
        if (syncKey != null) {
          let [xSyncKey, ySyncKey] = syncOpts.scales;
          syncOpts.values[0] = xSyncKey != null ? posToVal(scaleX.ori == 0 ? mouseLeft1 : mouseTop1, xSyncKey) : null;
          syncOpts.values[1] = ySyncKey != null ? posToVal(scaleX.ori == 1 ? mouseLeft1 : mouseTop1, ySyncKey) : null;
        }
        pubSync(mousemove, self, mouseLeft1, mouseTop1, plotWidCss, plotHgtCss, idx);
      }
      if (cursorFocus) {
        let shouldPub = _pub && syncOpts.setSeries;
        let p = focus.prox;
        if (focusedSeries == null) {
          if (closestDist <= p) setSeries(closestSeries, FOCUS_TRUE, true, shouldPub);
        } else {
          if (closestDist > p) setSeries(null, FOCUS_TRUE, true, shouldPub);
          else if (closestSeries != focusedSeries) setSeries(closestSeries, FOCUS_TRUE, true, shouldPub);
        }
      }
    }
    if (shouldSetLegend) {
      legend.idx = idx;
      setLegend();
    }
    _fire !== false && fire("setCursor");
  }
  let rect2 = null;
  Object.defineProperty(self, "rect", {
    get() {
      if (rect2 == null) syncRect(false);
      return rect2;
    }
  });
  function syncRect(defer = false) {
    if (defer) rect2 = null;
    else {
      rect2 = over.getBoundingClientRect();
      fire("syncRect", rect2);
    }
  }
  function mouseMove(e, src, _l, _t, _w, _h, _i) {
    if (cursor._lock) return;
    if (dragging && e != null && e.movementX == 0 && e.movementY == 0) return;
    cacheMouse(e, src, _l, _t, _w, _h, _i, false, e != null);
    if (e != null) updateCursor(null, true, true);
    else updateCursor(src, true, false);
  }
  function cacheMouse(e, src, _l, _t, _w, _h, _i, initial, snap) {
    if (rect2 == null) syncRect(false);
    setCursorEvent(e);
    if (e != null) {
      _l = e.clientX - rect2.left;
      _t = e.clientY - rect2.top;
    } else {
      if (_l < 0 || _t < 0) {
        mouseLeft1 = -10;
        mouseTop1 = -10;
        return;
      }
      let [xKey, yKey] = syncOpts.scales;
      let syncOptsSrc = src.cursor.sync;
      let [xValSrc, yValSrc] = syncOptsSrc.values;
      let [xKeySrc, yKeySrc] = syncOptsSrc.scales;
      let [matchXKeys, matchYKeys] = syncOpts.match;
      let rotSrc = src.axes[0].side % 2 == 1;
      let xDim = scaleX.ori == 0 ? plotWidCss : plotHgtCss, yDim = scaleX.ori == 1 ? plotWidCss : plotHgtCss, _xDim = rotSrc ? _h : _w, _yDim = rotSrc ? _w : _h, _xPos = rotSrc ? _t : _l, _yPos = rotSrc ? _l : _t;
      if (xKeySrc != null) _l = matchXKeys(xKey, xKeySrc) ? getPos(xValSrc, scales[xKey], xDim, 0) : -10;
      else _l = xDim * (_xPos / _xDim);
      if (yKeySrc != null) _t = matchYKeys(yKey, yKeySrc) ? getPos(yValSrc, scales[yKey], yDim, 0) : -10;
      else _t = yDim * (_yPos / _yDim);
      if (scaleX.ori == 1) {
        let __l = _l;
        _l = _t;
        _t = __l;
      }
    }
    if (snap && (src == null || src.cursor.event.type == mousemove)) {
      if (_l <= 1 || _l >= plotWidCss - 1) _l = incrRound(_l, plotWidCss);
      if (_t <= 1 || _t >= plotHgtCss - 1) _t = incrRound(_t, plotHgtCss);
    }
    if (initial) {
      rawMouseLeft0 = _l;
      rawMouseTop0 = _t;
      [mouseLeft0, mouseTop0] = cursor.move(self, _l, _t);
    } else {
      mouseLeft1 = _l;
      mouseTop1 = _t;
    }
  }
  const _hideProps = {
    width: 0,
    height: 0,
    left: 0,
    top: 0
  };
  function hideSelect() {
    setSelect(_hideProps, false);
  }
  let downSelectLeft;
  let downSelectTop;
  let downSelectWidth;
  let downSelectHeight;
  function mouseDown(e, src, _l, _t, _w, _h, _i) {
    dragging = true;
    dragX = dragY = drag._x = drag._y = false;
    cacheMouse(e, src, _l, _t, _w, _h, _i, true, false);
    if (e != null) {
      onMouse(mouseup, doc, mouseUp, false);
      pubSync(mousedown, self, mouseLeft0, mouseTop0, plotWidCss, plotHgtCss, null);
    }
    let { left, top, width, height } = select;
    downSelectLeft = left;
    downSelectTop = top;
    downSelectWidth = width;
    downSelectHeight = height;
  }
  function mouseUp(e, src, _l, _t, _w, _h, _i) {
    dragging = drag._x = drag._y = false;
    cacheMouse(e, src, _l, _t, _w, _h, _i, false, true);
    let { left, top, width, height } = select;
    let hasSelect = width > 0 || height > 0;
    let chgSelect = downSelectLeft != left || downSelectTop != top || downSelectWidth != width || downSelectHeight != height;
    hasSelect && chgSelect && setSelect(select);
    if (drag.setScale && hasSelect && chgSelect) {
      let xOff = left, xDim = width, yOff = top, yDim = height;
      if (scaleX.ori == 1) {
        xOff = top, xDim = height, yOff = left, yDim = width;
      }
      if (dragX) {
        _setScale(xScaleKey, posToVal(xOff, xScaleKey), posToVal(xOff + xDim, xScaleKey));
      }
      if (dragY) {
        for (let k in scales) {
          let sc = scales[k];
          if (k != xScaleKey && sc.from == null && sc.min != inf) {
            _setScale(k, posToVal(yOff + yDim, k), posToVal(yOff, k));
          }
        }
      }
      hideSelect();
    } else if (cursor.lock) {
      cursor._lock = !cursor._lock;
      updateCursor(src, true, e != null);
    }
    if (e != null) {
      offMouse(mouseup, doc);
      pubSync(mouseup, self, mouseLeft1, mouseTop1, plotWidCss, plotHgtCss, null);
    }
  }
  function mouseLeave(e, src, _l, _t, _w, _h, _i) {
    if (cursor._lock) return;
    setCursorEvent(e);
    let _dragging = dragging;
    if (dragging) {
      let snapH = true;
      let snapV = true;
      let snapProx = 10;
      let dragH, dragV;
      if (scaleX.ori == 0) {
        dragH = dragX;
        dragV = dragY;
      } else {
        dragH = dragY;
        dragV = dragX;
      }
      if (dragH && dragV) {
        snapH = mouseLeft1 <= snapProx || mouseLeft1 >= plotWidCss - snapProx;
        snapV = mouseTop1 <= snapProx || mouseTop1 >= plotHgtCss - snapProx;
      }
      if (dragH && snapH) mouseLeft1 = mouseLeft1 < mouseLeft0 ? 0 : plotWidCss;
      if (dragV && snapV) mouseTop1 = mouseTop1 < mouseTop0 ? 0 : plotHgtCss;
      updateCursor(null, true, true);
      dragging = false;
    }
    mouseLeft1 = -10;
    mouseTop1 = -10;
    activeIdxs.fill(null);
    updateCursor(null, true, true);
    if (_dragging) dragging = _dragging;
  }
  function dblClick(e, src, _l, _t, _w, _h, _i) {
    if (cursor._lock) return;
    setCursorEvent(e);
    autoScaleX();
    hideSelect();
    if (e != null) pubSync(dblclick, self, mouseLeft1, mouseTop1, plotWidCss, plotHgtCss, null);
  }
  function syncPxRatio() {
    axes.forEach(syncFontSize);
    _setSize(self.width, self.height, true);
  }
  on(dppxchange, win, syncPxRatio);
  const events = {};
  events.mousedown = mouseDown;
  events.mousemove = mouseMove;
  events.mouseup = mouseUp;
  events.dblclick = dblClick;
  events["setSeries"] = (e, src, idx, opts2) => {
    let seriesIdxMatcher2 = syncOpts.match[2];
    idx = seriesIdxMatcher2(self, src, idx);
    idx != -1 && setSeries(idx, opts2, true, false);
  };
  if (showCursor) {
    onMouse(mousedown, over, mouseDown);
    onMouse(mousemove, over, mouseMove);
    onMouse(mouseenter, over, (e) => {
      setCursorEvent(e);
      syncRect(false);
    });
    onMouse(mouseleave, over, mouseLeave);
    onMouse(dblclick, over, dblClick);
    cursorPlots.add(self);
    self.syncRect = syncRect;
  }
  const hooks = self.hooks = opts.hooks || {};
  function fire(evName, a1, a2) {
    if (deferHooks) hooksQueue.push([
      evName,
      a1,
      a2
    ]);
    else {
      if (evName in hooks) {
        hooks[evName].forEach((fn) => {
          fn.call(null, self, a1, a2);
        });
      }
    }
  }
  (opts.plugins || []).forEach((p) => {
    for (let evName in p.hooks) hooks[evName] = (hooks[evName] || []).concat(p.hooks[evName]);
  });
  const seriesIdxMatcher = (self2, src, srcSeriesIdx) => srcSeriesIdx;
  const syncOpts = assign({
    key: null,
    setSeries: false,
    filters: {
      pub: retTrue,
      sub: retTrue
    },
    scales: [
      xScaleKey,
      series[1] ? series[1].scale : null
    ],
    match: [
      retEq,
      retEq,
      seriesIdxMatcher
    ],
    values: [
      null,
      null
    ]
  }, cursor.sync);
  if (syncOpts.match.length == 2) syncOpts.match.push(seriesIdxMatcher);
  cursor.sync = syncOpts;
  const syncKey = syncOpts.key;
  const sync = _sync(syncKey);
  function pubSync(type, src, x, y, w, h, i) {
    if (syncOpts.filters.pub(type, src, x, y, w, h, i)) sync.pub(type, src, x, y, w, h, i);
  }
  sync.sub(self);
  function pub(type, src, x, y, w, h, i) {
    if (syncOpts.filters.sub(type, src, x, y, w, h, i)) events[type](null, src, x, y, w, h, i);
  }
  self.pub = pub;
  function destroy() {
    sync.unsub(self);
    cursorPlots.delete(self);
    mouseListeners.clear();
    off(dppxchange, win, syncPxRatio);
    root.remove();
    legendTable?.remove();
    fire("destroy");
  }
  self.destroy = destroy;
  function _init() {
    fire("init", opts, data);
    setData(data || opts.data, false);
    if (pendScales[xScaleKey]) setScale(xScaleKey, pendScales[xScaleKey]);
    else autoScaleX();
    shouldSetSelect = select.show && (select.width > 0 || select.height > 0);
    shouldSetCursor = shouldSetLegend = true;
    _setSize(opts.width, opts.height);
  }
  series.forEach(initSeries);
  axes.forEach(initAxis);
  if (then) {
    if (then instanceof HTMLElement) {
      then.appendChild(root);
      _init();
    } else then(self, _init);
  } else _init();
  return self;
}
uPlot.assign = assign;
uPlot.fmtNum = fmtNum;
uPlot.rangeNum = rangeNum;
uPlot.rangeLog = rangeLog;
uPlot.rangeAsinh = rangeAsinh;
uPlot.orient = orient;
uPlot.pxRatio = pxRatio;
{
  uPlot.join = join;
}
{
  uPlot.fmtDate = fmtDate;
  uPlot.tzDate = tzDate;
}
uPlot.sync = _sync;
{
  uPlot.addGap = addGap;
  uPlot.clipGaps = clipGaps;
  let paths = uPlot.paths = {
    points
  };
  paths.linear = linear;
  paths.stepped = stepped;
  paths.bars = bars;
  paths.spline = monotoneCubic;
}

// web/pictures/colours.ts
var RAMP_COLOURS = 128;
var CURVES = 6;
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const text = (name) => style.getPropertyValue(`--${name}`).trim();
  const [card, accent, warm] = [
    text("card"),
    text("accent"),
    text("warm")
  ];
  const towardsAccent = ramp(card, accent);
  return {
    card,
    line: text("line"),
    muted: text("muted"),
    accent,
    warm,
    curves: Array.from({
      length: CURVES
    }, (_2, i) => text(`curve-${i}`)),
    diverging: [
      ...towardsAccent.toReversed(),
      ...ramp(card, warm)
    ],
    rising: towardsAccent.flatMap((colour) => [
      colour,
      colour
    ])
  };
}
function ramp(from, to) {
  const [start3, end] = [
    rgb(from),
    rgb(to)
  ];
  return Array.from({
    length: RAMP_COLOURS
  }, (_2, i) => {
    const share = (i / (RAMP_COLOURS - 1)) ** 0.8;
    const mix = (channel) => Math.round(start3[channel] + (end[channel] - start3[channel]) * share);
    return [
      mix(0),
      mix(1),
      mix(2)
    ];
  });
}
function rgb(hex) {
  const at = (place) => parseInt(hex.slice(place, place + 2), 16);
  return [
    at(1),
    at(3),
    at(5)
  ];
}

// npm:uplot/1.6.32/dist/uPlot.min.css
var uPlot_min_default = '.uplot, .uplot *, .uplot *::before, .uplot *::after {box-sizing: border-box;}.uplot {font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif, "Apple Color Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Noto Color Emoji";line-height: 1.5;width: min-content;}.u-title {text-align: center;font-size: 18px;font-weight: bold;}.u-wrap {position: relative;user-select: none;}.u-over, .u-under {position: absolute;}.u-under {overflow: hidden;}.uplot canvas {display: block;position: relative;width: 100%;height: 100%;}.u-axis {position: absolute;}.u-legend {font-size: 14px;margin: auto;text-align: center;}.u-inline {display: block;}.u-inline * {display: inline-block;}.u-inline tr {margin-right: 16px;}.u-legend th {font-weight: 600;}.u-legend th > * {vertical-align: middle;display: inline-block;}.u-legend .u-marker {width: 1em;height: 1em;margin-right: 4px;background-clip: padding-box !important;}.u-inline.u-live th::after {content: ":";vertical-align: middle;}.u-inline:not(.u-live) .u-value {display: none;}.u-series > * {padding: 4px;}.u-series th {cursor: pointer;}.u-legend .u-off > * {opacity: 0.3;}.u-select {background: rgba(0,0,0,0.07);position: absolute;pointer-events: none;}.u-cursor-x, .u-cursor-y {position: absolute;left: 0;top: 0;pointer-events: none;will-change: transform;}.u-hz .u-cursor-x, .u-vt .u-cursor-y {height: 100%;border-right: 1px dashed #607D8B;}.u-hz .u-cursor-y, .u-vt .u-cursor-x {width: 100%;border-bottom: 1px dashed #607D8B;}.u-cursor-pt {position: absolute;top: 0;left: 0;border-radius: 50%;border: 0 solid;pointer-events: none;will-change: transform;/*this has to be !important since we set inline "background" shorthand */background-clip: padding-box !important;}.u-axis.u-off, .u-select.u-off, .u-cursor-x.u-off, .u-cursor-y.u-off, .u-cursor-pt.u-off {display: none;}';

// web/pictures/plot.ts
var isStyled = false;
function stylePlots() {
  if (isStyled) return;
  isStyled = true;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(uPlot_min_default);
  document.adoptedStyleSheets.push(sheet);
}
function axisOf({ muted, line }) {
  return {
    stroke: muted,
    grid: {
      stroke: line,
      width: 1
    },
    ticks: {
      show: false
    },
    font: "12px system-ui"
  };
}
function secondsOf(times) {
  return times.map((time) => time < 0 ? "" : `${time} s`);
}

// web/pictures/ring.ts
var SHOWN_SECONDS = 8;
var COLUMNS = SHOWN_SECONDS * 100;
var Ring = class {
  #values = [];
  #total = 0;
  /** Number of values since the start. */
  get total() {
    return this.#total;
  }
  /** The newest value; undefined before the first. */
  get last() {
    return this.at(this.#total - 1);
  }
  push(value) {
    this.#values[this.#total++ % COLUMNS] = value;
  }
  clear() {
    this.#values = [];
    this.#total = 0;
  }
  /** Value number `index` since the start; undefined if it is gone or has not arrived. */
  at(index) {
    const isKept = index < this.#total && index >= this.#total - COLUMNS;
    return isKept ? this.#values[index % COLUMNS] : void 0;
  }
  /** The kept values, oldest first. */
  *[Symbol.iterator]() {
    const head = this.#total % COLUMNS;
    if (this.#total > COLUMNS) yield* this.#values.slice(head);
    yield* this.#values.slice(0, this.#total > COLUMNS ? head : this.#total);
  }
};

// web/pictures/curves.ts
var DASHES = [
  [],
  [
    9,
    4
  ],
  [
    2,
    3
  ],
  [
    9,
    3,
    2,
    3
  ],
  [
    5,
    3
  ],
  [
    12,
    3
  ]
];
var PIXELS = {
  height: 120,
  axis: 24,
  line: 2
};
var Curves = class {
  element = document.createElement("figure");
  #labels;
  #rate;
  #holder = document.createElement("div");
  #values = [];
  #plot;
  #colours;
  #now = 0;
  #times = [];
  /** One list for each label. */
  #lines;
  constructor({ title, labels, rate }) {
    stylePlots();
    this.#labels = labels;
    this.#rate = rate;
    this.#lines = labels.map(() => []);
    const caption = document.createElement("figcaption");
    const isNamedTwice = labels.length === 1 && labels[0] === title;
    caption.append(isNamedTwice ? "" : `${title} `, this.#legend());
    this.#holder.className = "curves";
    this.#holder.role = "img";
    this.#holder.ariaLabel = `${title} over the last ${SHOWN_SECONDS} seconds: ${labels.join(", ")}`;
    this.element.append(caption, this.#holder);
  }
  /** Adds a point of every curve. */
  push(time, numbers) {
    this.#times.push(time);
    for (const [i, line] of this.#lines.entries()) line.push(numbers[i] ?? NaN);
    const most = SHOWN_SECONDS * this.#rate;
    if (this.#times.length <= 2 * most) return;
    for (const line of [
      this.#times,
      ...this.#lines
    ]) line.splice(0, line.length - most);
  }
  /** @param now in seconds, at the right edge */
  draw(colours, now) {
    this.#now = now;
    if (colours !== this.#colours) {
      this.#plot?.destroy();
      this.#plot = new uPlot(this.#options(colours), this.#data(), this.#holder);
      this.#colours = colours;
    }
    const { clientWidth: width } = this.#holder;
    if (width !== this.#plot?.width) this.#plot?.setSize({
      width,
      height: PIXELS.height
    });
    this.#plot?.setData(this.#data());
  }
  /** Writes the newest values. */
  tell() {
    for (const [i, value] of this.#values.entries()) {
      value.textContent = this.#lines[i]?.at(-1)?.toFixed(2) ?? "\u2013";
    }
  }
  #data() {
    const most = Math.ceil(SHOWN_SECONDS * this.#rate) + 1;
    return [
      this.#times.slice(-most),
      ...this.#lines.map((line) => line.slice(-most))
    ];
  }
  #legend() {
    const list = document.createElement("ul");
    list.className = "legend";
    for (const [i, label] of this.#labels.entries()) {
      const item = document.createElement("li");
      const value = document.createElement("b");
      this.#values.push(value);
      item.append(swatch(i), `${label} `, value);
      list.append(item);
    }
    this.tell();
    return list;
  }
  #options(colours) {
    const axis = axisOf(colours);
    return {
      width: Math.max(1, this.#holder.clientWidth),
      height: PIXELS.height,
      padding: [
        4,
        0,
        0,
        0
      ],
      scales: {
        x: {
          time: false,
          range: () => [
            this.#now - SHOWN_SECONDS,
            this.#now
          ]
        },
        // probabilities keep their scale
        y: {
          range: (_2, low, high) => [
            Math.min(low ?? 0, 0),
            Math.max(high ?? 1, 1)
          ]
        }
      },
      hooks: {
        draw: [
          (plot) => writeRange(plot, colours)
        ]
      },
      legend: {
        show: false
      },
      cursor: {
        show: false
      },
      axes: [
        {
          ...axis,
          size: PIXELS.axis,
          values: (_2, times) => secondsOf(times)
        },
        {
          ...axis,
          size: 0,
          values: (_2, numbers) => numbers.map(() => "")
        }
      ],
      series: [
        {},
        ...this.#labels.map((label, i) => ({
          label,
          stroke: colours.curves[i % CURVES],
          dash: dashesOf(i),
          width: PIXELS.line,
          points: {
            show: false
          }
        }))
      ]
    };
  }
};
function writeRange({ ctx, bbox, scales }, { muted }) {
  const { min: min2 = 0, max: max2 = 1 } = scales.y ?? {};
  const pixel = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = muted;
  ctx.font = `${12 * pixel}px system-ui`;
  ctx.textAlign = "left";
  const text = (value) => Number((value ?? 0).toPrecision(3)).toString();
  ctx.textBaseline = "top";
  ctx.fillText(text(max2), bbox.left + 2 * pixel, bbox.top + 2 * pixel);
  ctx.textBaseline = "bottom";
  ctx.fillText(text(min2), bbox.left + 2 * pixel, bbox.top + bbox.height - 2 * pixel);
  ctx.restore();
}
function dashesOf(index) {
  return DASHES[(index + Math.floor(index / CURVES)) % DASHES.length] ?? [];
}
function swatch(index) {
  const make = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const svg = make("svg", {
    viewBox: "0 0 26 6",
    class: "swatch",
    "aria-hidden": "true"
  });
  const dashes = dashesOf(index).join(" ");
  svg.append(make("line", {
    x1: "0",
    y1: "3",
    x2: "26",
    y2: "3",
    "stroke-width": "3",
    class: `curve-${index % CURVES}`,
    ...dashes && {
      "stroke-dasharray": dashes
    }
  }));
  return svg;
}

// web/panels/turns.ts
var QUESTIONS = {
  p_now: "Has the turn",
  p_future: "Speaks next"
};
var Turns = class _Turns {
  element = document.createElement("dl");
  #answers;
  #row = {};
  constructor() {
    this.element.className = "turns";
    this.#answers = Object.entries(QUESTIONS).map(([output, question]) => {
      const [part, term, cell] = [
        "div",
        "dt",
        "dd"
      ].map((tag) => document.createElement(tag));
      term.textContent = question;
      part.append(term, cell);
      this.element.append(part);
      return {
        output,
        cell
      };
    });
  }
  /** @returns undefined for a head that does not say so */
  static of(head) {
    return isAboutTurns(head) ? new _Turns() : void 0;
  }
  take(row) {
    this.#row = row;
  }
  tell() {
    for (const { output, cell } of this.#answers) {
      cell.textContent = likeliest(this.#row[output]);
    }
  }
};
function likeliest(shares = []) {
  if (shares.length === 0) return "\u2013";
  const share = Math.max(...shares);
  return `speaker ${shares.indexOf(share) + 1}, ${Math.round(share * 100)} %`;
}

// web/panels/heads.ts
var HeadsPanel = class {
  #card = byId("answers", HTMLElement);
  #list = byId("answer-list", HTMLElement);
  #format = {
    sampleRate: 1,
    channels: 1
  };
  #heads = [];
  #drawn = [];
  #samples = 0;
  beginAudio(format2) {
    this.#format = format2;
    this.#samples = 0;
    this.#drawn = [];
    this.#begin();
  }
  hear({ length }) {
    this.#samples += length;
  }
  beginHeads(heads) {
    this.#heads = heads;
    this.#begin();
  }
  takeRows({ name, channel, first, time, rows }) {
    const drawn = this.#drawn.find((one) => one.head.name === name && one.channel === channel);
    if (!drawn) return;
    drawn.rows = first + rows.length;
    for (const [i, row] of rows.entries()) {
      for (const { output, shown: shown2, curves } of drawn.plots) {
        curves.push(time + i / drawn.head.rate, numbersOf(row[output]).slice(0, shown2));
      }
      drawn.turns?.take(row);
    }
  }
  draw(colours) {
    const now = this.#samples / this.#format.sampleRate;
    for (const { curves } of this.#drawn.flatMap(({ plots }) => plots)) curves.draw(colours, now);
  }
  tell() {
    for (const { head, count, rows, plots, turns } of this.#drawn) {
      count.textContent = `${head.rate} rows a second, ${rows} so far`;
      for (const { curves } of plots) curves.tell();
      turns?.tell();
    }
  }
  /** Shows the heads of now; those that were there before go on. */
  #begin() {
    const each = this.#format.channels === 2 ? [
      0,
      1
    ] : [
      void 0
    ];
    const former = this.#drawn;
    this.#drawn = this.#heads.flatMap((head) => (head.channels === 1 ? each : [
      void 0
    ]).map((channel) => former.find((one) => one.head === head && one.channel === channel) ?? this.#drawnOf(head, channel)));
    this.#card.hidden = this.#drawn.length === 0;
    this.#list.replaceChildren(...this.#drawn.map(elementOf));
    this.tell();
  }
  #drawnOf(head, channel) {
    const plots = head.outputs.map((output) => {
      const { labels, left } = columnsOf(head, output);
      const title = titleOf(head, output) + (left > 0 ? ` (${left} more are not drawn)` : "");
      const curves = new Curves({
        title,
        labels,
        rate: head.rate
      });
      return {
        output: output.name,
        shown: labels.length,
        curves
      };
    });
    const count = document.createElement("span");
    count.className = "hint";
    return {
      head,
      channel,
      count,
      plots,
      turns: Turns.of(head),
      rows: 0
    };
  }
};
function elementOf({ head, channel, count, plots, turns }) {
  const part = document.createElement("section");
  const heading = document.createElement("h3");
  const whose = channel === void 0 ? "" : `, speaker ${channel + 1}`;
  heading.append(`${head.name}${whose} `, count);
  part.append(heading, ...turns ? [
    turns.element
  ] : [], ...plots.map(({ curves }) => curves.element));
  return part;
}
function numbersOf(output = []) {
  return output.flat(Infinity);
}

// web/files.ts
function npy(rows, width) {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows.length}, ${width}), }`;
  const pad = 64 - (10 + head.length + 1) % 64;
  const text = head + " ".repeat(pad % 64) + "\n";
  const start3 = 10 + text.length;
  const bytes = new Uint8Array(start3 + rows.length * width * 4);
  bytes.set([
    147,
    ...new TextEncoder().encode("NUMPY"),
    1,
    0,
    text.length & 255,
    text.length >> 8
  ]);
  bytes.set(new TextEncoder().encode(text), 10);
  const data = new Float32Array(bytes.buffer, start3);
  rows.forEach((row, i) => data.set(row, i * width));
  return bytes;
}
function wav(parts, { sampleRate, channels = 1 }) {
  const samples = parts.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(44 + samples * 4);
  const view = new DataView(bytes.buffer);
  const ascii = (at2, text) => bytes.set(new TextEncoder().encode(text), at2);
  ascii(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  ascii(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 4 * channels, true);
  view.setUint16(32, 4 * channels, true);
  view.setUint16(34, 32, true);
  ascii(36, "data");
  view.setUint32(40, samples * 4, true);
  const data = new Float32Array(bytes.buffer, 44);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return bytes;
}

// web/panels/keep.ts
var KEPT_BYTES = 128 * 1024 * 1024;
var URL_LIFE_MS = 1e4;
var KeepPanel = class {
  #vectorsButton = byId("save-vectors", HTMLButtonElement);
  #audioButton = byId("save-audio", HTMLButtonElement);
  #format = {
    sampleRate: 1,
    channels: 1
  };
  #shown = "context";
  /** Index of the first kept frame. */
  #first = 0;
  #audio = new Kept();
  #rows = new Kept();
  constructor() {
    for (const id of [
      "origin",
      "origin2"
    ]) write(id, location.origin);
    this.#vectorsButton.onclick = () => {
      const { list } = this.#rows;
      const name = `${this.#shown}_from_${this.#first}.npy`;
      save(npy(list, list[0]?.length ?? 0), name);
    };
    this.#audioButton.onclick = () => save(wav(this.#audio.list, this.#format), "audio.wav");
  }
  beginAudio(format2) {
    this.#format = format2;
    this.#audio = new Kept();
  }
  hear({ samples }) {
    this.#audio.add(samples, this.#rows);
  }
  beginVectors(shown2) {
    this.#shown = shown2;
    this.#rows = new Kept();
  }
  take({ frames: { first }, rows }) {
    if (this.#rows.list.length === 0) this.#first = first;
    for (const row of rows) this.#rows.add(row, this.#audio);
  }
  tell() {
    const { list, isFull } = this.#rows;
    this.#vectorsButton.disabled = list.length === 0;
    this.#audioButton.disabled = this.#audio.list.length === 0;
    const size = `${list.length} \xD7 ${list[0]?.length} ${this.#shown}`;
    const limit = isFull || this.#audio.isFull ? "; the rest is not kept" : "";
    write("kept", list.length > 0 ? size + limit : "");
  }
};
var Kept = class {
  list = [];
  isFull = false;
  #bytes = 0;
  add(floats, beside) {
    this.isFull ||= this.#bytes + beside.#bytes > KEPT_BYTES;
    if (this.isFull) return;
    this.#bytes += floats.byteLength;
    this.list.push(floats);
  }
};
function save(bytes, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([
    bytes
  ]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), URL_LIFE_MS);
}

// web/panels/microphones.ts
var MicrophonesPanel = class {
  #field = byId("microphones", HTMLFieldSetElement);
  #first = byId("speaker-1", HTMLSelectElement);
  #second = byId("speaker-2", HTMLSelectElement);
  /** @param complains shows why there are no microphones */
  constructor(complains) {
    byId("find-microphones", HTMLButtonElement).onclick = () => void this.#find().catch(complains);
    this.#offer([]);
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.list());
  }
  /** The browser's ids, `""` for its own choice: one device with two channels, or two devices. */
  get devices() {
    const [first, second] = [
      this.#first.value,
      this.#second.value
    ];
    return second === "" || second === first ? [
      first
    ] : [
      first,
      second
    ];
  }
  show(isShown, { isLive }) {
    this.#field.hidden = !isShown;
    this.#field.disabled = isLive;
  }
  /** Lists what the browser tells; it names microphones only once one has been allowed. */
  async list() {
    const devices = await navigator.mediaDevices?.enumerateDevices() ?? [];
    this.#offer(devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId !== ""));
  }
  async #find() {
    if (!navigator.mediaDevices) {
      throw new DOMException("no microphone without a secure context", "SecurityError");
    }
    const media = await navigator.mediaDevices.getUserMedia({
      audio: true
    });
    for (const track of media.getTracks()) track.stop();
    await this.list();
  }
  #offer(devices) {
    for (const [select, otherwise] of [
      [
        this.#first,
        "the browser's choice"
      ],
      [
        this.#second,
        "speaker 1's, its second channel"
      ]
    ]) {
      const { value } = select;
      select.replaceChildren(new Option(otherwise, ""), ...devices.map(({ label, deviceId }, i) => new Option(label || `microphone ${i + 1}`, deviceId)));
      select.value = devices.some(({ deviceId }) => deviceId === value) ? value : "";
    }
  }
};

// web/pictures/canvas.ts
function freshCanvas(canvas) {
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {
    width,
    height
  });
  const context = contextOf(canvas);
  context.clearRect(0, 0, width, height);
  return {
    context,
    width,
    height
  };
}
function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new TypeError("this browser has no 2-D canvas");
  return context;
}

// web/pictures/event_marks.ts
var LABEL_PIXELS = 12;
var MOST_KEPT = 500;
var EventMarks = class {
  #spans = [];
  /** Each head's events, in the order in which they were first seen. */
  #kinds = [];
  begin() {
    this.#spans = [];
    this.#kinds = [];
  }
  take({ head, event, channel, state, time }) {
    const kind = `${head} ${event}`;
    if (!this.#kinds.includes(kind)) this.#kinds.push(kind);
    if (state === "start") {
      this.#spans.push({
        kind,
        name: event,
        channel,
        start: time,
        end: void 0
      });
      if (this.#spans.length > MOST_KEPT) this.#spans.shift();
      return;
    }
    const open = this.#spans.findLast((one) => one.kind === kind && one.channel === channel);
    if (open) open.end ??= time;
  }
  draw(context, { place, colours }) {
    const { width, height, now, channels } = place;
    const from = now - SHOWN_SECONDS;
    const at = (time) => (time - from) / SHOWN_SECONDS * width;
    context.font = `${LABEL_PIXELS * devicePixelRatio}px system-ui, sans-serif`;
    context.textBaseline = "top";
    const shown2 = this.#spans.filter(({ end }) => (end ?? now) >= from).map((span) => {
      const row = this.#kinds.indexOf(span.kind);
      const lane = span.channel === void 0 ? height : height / channels;
      const colour = colours.curves[(row + 1) % CURVES] ?? colours.warm;
      return {
        ...span,
        row,
        lane,
        colour,
        left: at(span.start),
        top: (span.channel ?? 0) * lane
      };
    });
    for (const { end, left, top, lane, colour } of shown2) {
      const right = at(end ?? now);
      context.fillStyle = colour;
      context.globalAlpha = 0.14;
      context.fillRect(left, top, right - left, lane);
      context.globalAlpha = 1;
      context.fillRect(left, top, 2 * devicePixelRatio, lane);
      if (end !== void 0) context.fillRect(right, top, devicePixelRatio, lane);
    }
    for (const { name, left, top, row, colour } of shown2) {
      const below = row * (LABEL_PIXELS + 4) * devicePixelRatio;
      drawLabel(context, {
        name,
        left,
        top: top + below,
        ink: colour,
        paper: colours.card
      });
    }
  }
};
function drawLabel(context, { name, left, top, ink, paper }) {
  const pixel = devicePixelRatio;
  const x = Math.max(0, left) + 4 * pixel;
  const width = context.measureText(name).width + 4 * pixel;
  context.fillStyle = paper;
  context.globalAlpha = 0.8;
  context.fillRect(x - 2 * pixel, top + pixel, width, (LABEL_PIXELS + 3) * pixel);
  context.globalAlpha = 1;
  context.fillStyle = ink;
  context.fillText(name, x, top + 2 * pixel);
}

// web/panels/sound.ts
var COLUMNS_PER_SECOND = 100;
var SMALLEST_PEAK = 0.1;
var LEVEL_DB = {
  lowestShown: -60,
  silent: -100
};
var Wave = class {
  ring = new Ring();
  low = 0;
  high = 0;
};
var SoundPanel = class {
  #canvas = byId("wave", HTMLCanvasElement);
  #meter = byId("level", HTMLMeterElement);
  #marks = new EventMarks();
  #waves = [];
  #columnSamples = 160;
  #sampleRate = 1;
  #samples = 0;
  /** Samples of each channel in the column that is not complete. */
  #count = 0;
  /** Mean square of the newest audio. */
  #power = 0;
  beginAudio({ sampleRate, channels }) {
    this.#waves = Array.from({
      length: channels
    }, () => new Wave());
    this.#marks.begin();
    this.#sampleRate = sampleRate;
    this.#columnSamples = sampleRate / COLUMNS_PER_SECOND;
    this.#samples = this.#count = this.#power = 0;
    this.#canvas.classList.toggle("lanes", channels === 2);
  }
  hear({ samples, length }) {
    this.#samples += length;
    const channels = this.#waves.length;
    for (let i = 0; i < length; i++) {
      for (const [c, wave] of this.#waves.entries()) {
        const x = samples[i * channels + c] ?? 0;
        this.#power += (x * x - this.#power) / (this.#columnSamples * 10 * channels);
        if (x < wave.low) wave.low = x;
        if (x > wave.high) wave.high = x;
      }
      if (++this.#count < this.#columnSamples) continue;
      this.#count -= this.#columnSamples;
      for (const wave of this.#waves) {
        wave.ring.push([
          wave.low,
          wave.high
        ]);
        wave.low = wave.high = 0;
      }
    }
  }
  takeEvent(event) {
    this.#marks.take(event);
  }
  draw(colours) {
    const { context, width, height } = freshCanvas(this.#canvas);
    const channels = this.#waves.length;
    const lane = height / channels;
    for (const [c, { ring }] of this.#waves.entries()) {
      drawWave(context, {
        columns: [
          ...ring
        ],
        width,
        top: c * lane,
        height: lane,
        colours
      });
    }
    if (channels > 1) nameLanes(context, {
      channels,
      lane,
      colours
    });
    const now = this.#samples / this.#sampleRate;
    this.#marks.draw(context, {
      place: {
        width,
        height,
        now,
        channels
      },
      colours
    });
  }
  tell() {
    const level = 10 * Math.log10(this.#power);
    this.#meter.value = Math.max(LEVEL_DB.lowestShown, level);
    write("n-level", level > LEVEL_DB.silent ? `${level.toFixed(0)} dBFS` : "\u2013");
  }
};
function nameLanes(context, { channels, lane, colours }) {
  const pixel = devicePixelRatio;
  context.fillStyle = colours.muted;
  context.font = `${12 * pixel}px system-ui, sans-serif`;
  context.textBaseline = "bottom";
  for (let c = 0; c < channels; c++) {
    context.fillText(`speaker ${c + 1}`, 2 * pixel, (c + 1) * lane - 2 * pixel);
  }
}
function drawWave(context, { columns, width, top, height, colours }) {
  context.fillStyle = colours.line;
  context.fillRect(0, top + height / 2, width, 1);
  context.fillStyle = colours.accent;
  const peak = columns.reduce((peak2, [low, high]) => Math.max(peak2, -low, high), SMALLEST_PEAK);
  const pixels = width / COLUMNS;
  const place = (x) => top + height / 2 * (1 - 0.95 * x / peak);
  for (const [i, [low, high]] of columns.entries()) {
    const upper = place(high);
    context.fillRect(width - (columns.length - i) * pixels, upper, Math.max(1, pixels), Math.max(1, place(low) - upper));
  }
}

// web/pictures/scroll_map.ts
var ScrollMap = class {
  /** Magnitude of the strongest colour. */
  scale;
  /** Subtracted from each row. */
  offset;
  #canvas;
  /** One pixel per value; a ring, like the vectors. */
  #image = document.createElement("canvas");
  #ring = new Ring();
  #look;
  #colours;
  /** Number of vectors in the image. */
  #painted = 0;
  constructor(canvas, look) {
    this.#canvas = canvas;
    this.#look = look;
    this.scale = look.scale;
  }
  /** Starts over. */
  begin(look = this.#look) {
    this.#look = look;
    this.scale = look.scale;
    this.offset = void 0;
    this.#ring.clear();
    this.#painted = 0;
  }
  push(vector) {
    this.#ring.push(vector);
  }
  draw(colours) {
    const { context, width, height } = freshCanvas(this.#canvas);
    const rows = this.#ring.last?.length;
    if (rows === void 0) return;
    if (rows !== this.#image.height || this.#image.width !== COLUMNS) {
      Object.assign(this.#image, {
        width: COLUMNS,
        height: rows
      });
      this.#painted = 0;
    }
    if (colours !== this.#colours) this.#painted = 0;
    this.#colours = colours;
    this.#paint(colours[this.#look.kind]);
    const { total } = this.#ring;
    const head = total % COLUMNS;
    const older = total > COLUMNS ? COLUMNS - head : 0;
    const newer = total > COLUMNS ? head : total;
    const column = width / COLUMNS;
    context.imageSmoothingEnabled = false;
    const copy2 = (from, { count, to }) => {
      if (count === 0) return;
      context.drawImage(this.#image, from, 0, count, rows, to, 0, count * column, height);
    };
    copy2(head, {
      count: older,
      to: 0
    });
    copy2(0, {
      count: newer,
      to: width - newer * column
    });
  }
  /** Updates the image. */
  #paint(colours) {
    const context = contextOf(this.#image);
    const column = context.createImageData(1, this.#image.height);
    const { total } = this.#ring;
    for (let index = Math.max(this.#painted, total - COLUMNS); index < total; index++) {
      for (const [row, x] of (this.#ring.at(index) ?? []).entries()) {
        const value = (x - (this.offset?.[row] ?? 0)) / this.scale;
        const share = this.#look.kind === "rising" ? value : (value + 1) / 2;
        const colour = colours[Math.max(0, Math.min(255, Math.round((share || 0) * 255)))];
        if (colour) column.data.set([
          ...colour,
          Number.isNaN(x) ? 0 : 255
        ], row * 4);
      }
      context.putImageData(column, index % COLUMNS, 0);
    }
    this.#painted = total;
  }
};

// web/recent_mean.ts
var REMEMBERED = 100;
var RecentMean = class {
  #count = 0;
  #mean = 0;
  /** Undefined before the first value. */
  get value() {
    return this.#count === 0 ? void 0 : this.#mean;
  }
  /** @returns the mean, including this value */
  add(value) {
    this.#count = Math.min(REMEMBERED, this.#count + 1);
    return this.#mean += (value - this.#mean) / this.#count;
  }
};

// web/panels/steps.ts
var ROW_PIXELS = 18;
var StepsPanel = class {
  #canvas = byId("steps", HTMLCanvasElement);
  #body = byId("step-rows", HTMLElement);
  #map = new ScrollMap(this.#canvas, {
    kind: "rising",
    scale: 1
  });
  #steps = [];
  beginVectors() {
    this.#begin([], {
      hopMs: 0
    });
  }
  take({ frames: { score = [], steps }, ready }) {
    for (const row of score) {
      if (!row) continue;
      if (steps.join() !== this.#steps.map(({ k }) => k).join()) {
        this.#begin(steps, {
          hopMs: 1e3 / ready.frame_rate
        });
      }
      this.#push(row);
    }
  }
  draw(colours) {
    this.#map.draw(colours);
  }
  tell() {
    for (const { cell, accuracy: { value } } of this.#steps) {
      cell.textContent = value === void 0 ? "\u2013" : `${Math.round(value * 100)} %`;
    }
  }
  #push({ correct }) {
    this.#map.push(Float32Array.from(this.#steps, ({ accuracy }, i) => accuracy.add(correct[i] ?? 0)));
  }
  #begin(steps, { hopMs }) {
    this.#map.begin();
    this.#body.replaceChildren();
    this.#steps = steps.map((k) => {
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = `${k * hopMs} ms`;
      const cell = document.createElement("td");
      const row = document.createElement("tr");
      row.append(head, cell);
      this.#body.append(row);
      return {
        k,
        cell,
        accuracy: new RecentMean()
      };
    });
    if (steps.length > 0) this.#canvas.style.height = `${ROW_PIXELS * steps.length}px`;
  }
};

// web/panels/surprise.ts
var CANDIDATES = 17;
var PLOT_PIXELS = 230;
var NOTES = {
  waiting: "Starts once the stream has enough past to compare with, after about 1.5 seconds.",
  off: "Scores are switched off.",
  impossible: "This model has no predictors, so there is nothing to score."
};
var SurprisePanel = class {
  #holder = byId("surprise", HTMLElement);
  #note = byId("score-note", HTMLElement);
  #plot;
  #colours;
  #mean = new RecentMean();
  #times = [];
  #surprises = [];
  #means = [];
  constructor() {
    stylePlots();
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#holder);
  }
  /** Nats, over the last second. */
  get mean() {
    return this.#mean.value;
  }
  beginVectors() {
    this.#mean = new RecentMean();
    this.#times = [];
    this.#surprises = [];
    this.#means = [];
  }
  take({ frames: { score = [], time, every }, ready }) {
    for (const [i, row] of score.entries()) {
      if (!row) continue;
      this.#push(time + i * every / ready.frame_rate, row.surprise);
      this.#note.hidden = true;
    }
  }
  /** Says what will appear, or why nothing will. */
  explain({ isOn, isPossible }) {
    this.#note.hidden = isOn && this.#times.length > 0;
    this.#note.textContent = NOTES[!isPossible ? "impossible" : isOn ? "waiting" : "off"];
  }
  draw(colours) {
    if (colours !== this.#colours) {
      this.#plot?.destroy();
      this.#plot = new uPlot(plotOptions(colours, this.#size()), [
        [],
        [],
        [],
        []
      ], this.#holder);
      this.#colours = colours;
    }
    const lines = [
      this.#times,
      this.#surprises,
      this.#means
    ];
    const [times, surprises, means] = lines.map((line) => line.slice(-COLUMNS));
    if (!times || !surprises || !means) return;
    this.#plot?.setData([
      times,
      surprises,
      means,
      times.map(() => Math.log(CANDIDATES))
    ]);
  }
  #push(time, surprise2) {
    this.#times.push(time);
    this.#surprises.push(surprise2);
    this.#means.push(this.#mean.add(surprise2));
    if (this.#times.length <= 2 * COLUMNS) return;
    for (const line of [
      this.#times,
      this.#surprises,
      this.#means
    ]) line.splice(0, COLUMNS);
  }
  #size() {
    return {
      width: Math.max(200, this.#holder.clientWidth),
      height: PLOT_PIXELS
    };
  }
};
function plotOptions(colours, size) {
  const axis = axisOf(colours);
  const line = (label, look) => ({
    label,
    points: {
      show: false
    },
    ...look
  });
  return {
    ...size,
    scales: {
      x: {
        time: false
      },
      y: {
        range: (_2, _low, high) => [
          0,
          Math.max(high ?? 0, 4)
        ]
      }
    },
    legend: {
      show: false
    },
    cursor: {
      show: false
    },
    axes: [
      {
        ...axis,
        size: 28,
        values: (_2, times) => secondsOf(times)
      },
      {
        ...axis,
        size: 36
      }
    ],
    series: [
      {},
      line("each frame", {
        stroke: `${colours.muted}70`,
        width: 1
      }),
      line("mean of a second", {
        stroke: colours.warm,
        width: 2.5
      }),
      line("chance", {
        stroke: colours.muted,
        width: 1,
        dash: [
          5,
          5
        ]
      })
    ]
  };
}

// web/pca.ts
var AMNESIA = 2;
var OnlinePca = class {
  #count = 0;
  #mean;
  #axes;
  #rest;
  /** @param width of the vectors */
  constructor(width) {
    this.#mean = new Float64Array(width);
    this.#axes = [
      new Float64Array(width),
      new Float64Array(width)
    ];
    this.#rest = new Float64Array(width);
  }
  /** Learns from a vector, `[width]`. */
  add(vector) {
    const n = ++this.#count;
    const [mean, rest] = [
      this.#mean,
      this.#rest
    ];
    for (let i = 0; i < rest.length; i++) {
      mean[i] += (vector[i] - mean[i]) / n;
      rest[i] = vector[i] - mean[i];
    }
    const gain = Math.min(1, (1 + AMNESIA) / n);
    for (const [k, axis] of this.#axes.entries()) {
      if (n < k + 2) continue;
      let length = norm(axis);
      if (length === 0) {
        axis.set(rest);
        length = norm(axis);
        if (length === 0) return;
      } else {
        const along2 = dot(rest, axis) / length;
        for (let i = 0; i < axis.length; i++) axis[i] += gain * (along2 * rest[i] - axis[i]);
        length = norm(axis) || 1;
      }
      const along = dot(rest, axis) / length ** 2;
      for (let i = 0; i < rest.length; i++) rest[i] -= along * axis[i];
    }
  }
  /** The position of a vector, `[width]`, in the plane. */
  project(vector) {
    const along = (axis) => {
      let sum = 0;
      for (let i = 0; i < axis.length; i++) sum += (vector[i] - this.#mean[i]) * axis[i];
      return sum / (norm(axis) || 1);
    };
    return [
      along(this.#axes[0]),
      along(this.#axes[1])
    ];
  }
};
function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
function norm(a) {
  return Math.sqrt(dot(a, a));
}

// web/panels/trajectory.ts
var FADES = 10;
var TrajectoryPanel = class {
  #canvas = byId("path", HTMLCanvasElement);
  #ring = new Ring();
  #pca;
  /** Units of the plane per pixel; it slowly follows the size of the path. */
  #perPixel = 0;
  beginVectors() {
    this.#ring.clear();
    this.#pca = void 0;
    this.#perPixel = 0;
  }
  take({ rows }) {
    for (const row of rows) {
      this.#pca ??= new OnlinePca(row.length);
      this.#pca.add(row);
      this.#ring.push(row);
    }
  }
  draw(colours) {
    const { context, width, height } = freshCanvas(this.#canvas);
    context.fillStyle = colours.line;
    context.fillRect(0, height / 2, width, 1);
    context.fillRect(width / 2, 0, 1, height);
    const pca = this.#pca;
    if (!pca || this.#ring.total < 2) return;
    const places = Array.from(this.#ring, (vector) => pca.project(vector));
    const reach = places.reduce((reach2, [x, y]) => Math.max(reach2, Math.abs(x) / width, Math.abs(y) / height), 0) * 2.15;
    this.#perPixel += (reach - this.#perPixel) * (this.#perPixel ? 0.1 : 1);
    const perPixel = this.#perPixel || 1;
    const path = places.map(([x, y]) => [
      width / 2 + x / perPixel,
      height / 2 - y / perPixel
    ]);
    this.#drawPath(context, {
      path,
      colours
    });
  }
  #drawPath(context, { path, colours }) {
    context.lineWidth = 1.5 * devicePixelRatio;
    context.lineJoin = "round";
    context.strokeStyle = colours.accent;
    for (let part = 0; part < FADES; part++) {
      const from = Math.floor(part * path.length / FADES);
      const to = Math.floor((part + 1) * path.length / FADES);
      context.globalAlpha = 0.08 + 0.92 * ((part + 1) / FADES) ** 2;
      context.beginPath();
      for (const [x, y] of path.slice(Math.max(0, from - 1), to)) context.lineTo(x, y);
      context.stroke();
    }
    context.globalAlpha = 1;
    context.fillStyle = colours.warm;
    for (const [x, y] of path.slice(-1)) {
      context.beginPath();
      context.arc(x, y, 5 * devicePixelRatio, 0, 7);
      context.fill();
    }
  }
};

// web/panels/vectors.ts
var LOOKS = {
  context: {
    kind: "diverging",
    scale: 0.8,
    name: "Context",
    hint: "one column every 10 ms, less the mean so far"
  },
  latent: {
    kind: "rising",
    scale: 0.01,
    name: "Latent",
    hint: "one column every 10 ms"
  }
};
var VectorsPanel = class {
  #map = new ScrollMap(byId("map", HTMLCanvasElement), LOOKS.context);
  #shown = "context";
  #count = 0;
  beginVectors(shown2) {
    this.#shown = shown2;
    this.#count = 0;
    const { name, hint, ...look } = LOOKS[shown2];
    this.#map.begin(look);
    write("map-name", name);
    write("map-hint", hint);
  }
  take({ rows }) {
    for (const row of rows) {
      if (this.#shown === "context") this.#learnMean(row);
      else this.#learnScale(row);
      this.#map.push(row);
    }
  }
  draw(colours) {
    this.#map.draw(colours);
  }
  #learnMean(row) {
    const mean = this.#map.offset ??= new Float64Array(row.length);
    this.#count++;
    for (const [i, x] of row.entries()) mean[i] += (x - mean[i]) / this.#count;
  }
  /** Latents have no bound, so the largest come near the darkest colour. */
  #learnScale(row) {
    const map = this.#map;
    for (const x of row) if (x > map.scale) map.scale += (x - map.scale) * 0.05;
  }
};

// web/panels.ts
var Panels = class {
  #panels;
  #colours = readColours();
  #isDrawDue = false;
  constructor(panels2) {
    this.#panels = panels2;
  }
  beginAudio(format2) {
    for (const panel of this.#panels) panel.beginAudio?.(format2);
    this.drawSoon();
  }
  hear(heard) {
    for (const panel of this.#panels) panel.hear?.(heard);
    this.drawSoon();
  }
  beginVectors(shown2) {
    for (const panel of this.#panels) panel.beginVectors?.(shown2);
    this.drawSoon();
  }
  take(taken) {
    for (const panel of this.#panels) panel.take?.(taken);
    this.drawSoon();
  }
  beginHeads(heads) {
    for (const panel of this.#panels) panel.beginHeads?.(heads);
    this.drawSoon();
  }
  takeRows(rows) {
    for (const panel of this.#panels) panel.takeRows?.(rows);
    this.drawSoon();
  }
  takeEvent(event) {
    for (const panel of this.#panels) panel.takeEvent?.(event);
    this.drawSoon();
  }
  tell() {
    for (const panel of this.#panels) panel.tell?.();
  }
  /** Schedules painting, at most once per screen refresh. */
  drawSoon() {
    if (this.#isDrawDue) return;
    this.#isDrawDue = true;
    requestAnimationFrame(() => {
      this.#isDrawDue = false;
      for (const panel of this.#panels) panel.draw?.(this.#colours);
    });
  }
  /** The page has other colours. */
  recolour() {
    this.#colours = readColours();
    this.drawSoon();
  }
};

// web/models.ts
async function loadModels(key) {
  const headers = new Headers(key ? {
    authorization: `Bearer ${key}`
  } : {});
  let answer;
  let body;
  try {
    answer = await fetch("/v1/models", {
      headers
    });
    body = await answer.json();
  } catch (cause) {
    throw new StreamError("connection_lost", "the server did not list its models", {
      cause
    });
  }
  if ("error" in body) throw new StreamError(body.error.code, body.error.message);
  return body.data.map((model) => ({
    ...model,
    heads: model.heads.filter(({ voice }) => !voice)
  }));
}

// web/selected.ts
var Selected = class {
  #controls;
  #heads;
  #models = [];
  constructor({ controls: controls2, heads }) {
    this.#controls = controls2;
    this.#heads = heads;
  }
  /** Asks the server for its models. @throws {StreamError} */
  async load() {
    this.#models = await loadModels(this.#controls.key);
    this.#controls.offerModels(this.#models.map(({ id }) => id));
  }
  /** Folder of the model's files, if it is to run in this browser. */
  get weights() {
    return this.#controls.isHere ? this.#model?.weights : void 0;
  }
  /** Shows whether the model can run in this browser. */
  offerHere() {
    this.#controls.offerHere(this.#model?.weights !== void 0);
  }
  /** Shows the heads of the model. @returns the chosen ones that it does not have */
  offerHeads() {
    return this.#heads.offer(this.#model?.heads ?? []);
  }
  get outputs() {
    const { shown: shown2, isScoring } = this.#controls;
    return [
      shown2,
      ...isScoring && this.canScore ? [
        "score"
      ] : [],
      ...this.#heads.chosen.map(({ name }) => `head.${name}`)
    ];
  }
  /** Channels that the chosen heads require. */
  get channels() {
    return this.#heads.isOfTwo ? 2 : 1;
  }
  get canScore() {
    return this.#model?.dims.steps !== 0;
  }
  get #model() {
    return this.#models.find(({ id }) => id === this.#controls.model);
  }
};

// web/app.ts
var TELL_MS = 250;
var DEFAULT_FORMAT = {
  sampleRate: 48e3,
  channels: 1
};
var controls = new ControlsPanel({
  microphone: () => void (live ? stop() : start2(openMicrophones)),
  pause,
  reset: () => void reset(),
  file: (file, options) => void start2(() => openFile(file, {
    ...options,
    channels: selected.channels
  })),
  outputs: () => void changeOutputs(),
  model: changeModel,
  key: () => void askForModels()
});
var choice = new HeadChoice(() => void changeHeads());
var selected = new Selected({
  controls,
  heads: choice
});
var microphones = new MicrophonesPanel(complain);
var surprise = new SurprisePanel();
var figures = new FiguresPanel(surprise);
var panels = new Panels([
  figures,
  new SoundPanel(),
  new HeadsPanel(),
  new EventsPanel(),
  new VectorsPanel(),
  surprise,
  new TrajectoryPanel(),
  new StepsPanel(),
  new KeepPanel()
]);
var live;
var shown = controls.shown;
var format = DEFAULT_FORMAT;
function beginAudio() {
  panels.beginAudio(format);
  write("map-whose", format.channels === 2 ? "of speaker 1" : "");
  beginVectors();
}
function beginVectors() {
  shown = controls.shown;
  panels.beginVectors(shown);
}
function beginHeads() {
  panels.beginHeads(choice.chosen);
}
function show(mood, text) {
  const isLive = live !== void 0;
  controls.show(mood, {
    text,
    isLive
  });
  choice.follow(isLive ? format.channels : void 0);
  microphones.show(choice.isOfTwo, {
    isLive
  });
}
function complain(error) {
  controls.complain(error);
  show("error", "stopped");
}
async function start2(openSource) {
  await stop();
  format = {
    ...format,
    channels: selected.channels
  };
  const mine = live = new Live({
    says: (text) => controls.say(text),
    begins(begun) {
      format = begun;
      beginAudio();
      panels.tell();
    },
    isLive(text) {
      show("live", "live");
      controls.say(text);
    },
    hears: (heard) => panels.hear(heard),
    takes(frames, ready) {
      if ((frames.channel ?? 0) !== 0) return;
      panels.take({
        frames,
        rows: frames[shown] ?? [],
        ready
      });
    },
    takesRows: (rows) => panels.takeRows(rows),
    takesEvent: (event) => panels.takeEvent(event),
    resumes: ({ state, attempt, error }) => {
      if (state === "resuming") {
        show("resuming", `reconnecting, attempt ${attempt}`);
        controls.say(`The connection was lost (${error?.message}). The page resumes it by itself; nothing is lost meanwhile.`);
      } else if (state === "open") {
        figures.countResumed();
        show("live", "live");
        controls.say("Connected again: the stream continues where it stopped.");
      }
    },
    ends(problem) {
      if (problem) complain(problem);
      void stop();
    }
  });
  controls.forgive();
  figures.begin();
  show("connecting", "starting");
  try {
    await mine.run(openSource, () => ({
      model: controls.model || void 0,
      output: selected.outputs,
      key: controls.key || void 0,
      weights: selected.weights
    }));
    if (live === mine) live = void 0;
    if (!live) show("idle", "ended");
  } catch (error) {
    if (live === mine) live = void 0;
    complain(error);
    controls.say("");
    if (isOf(error, {
      code: "unauthorized"
    })) controls.focusKey();
    if (isOf(error, {
      param: "output"
    })) await lookForHeads();
  } finally {
    if (!live) figures.end();
    panels.tell();
  }
}
async function stop() {
  const ending = live;
  if (!ending) return;
  live = void 0;
  show("idle", "ended");
  try {
    const done = await ending.stop();
    if (!done) return;
    const { seconds, frames, stats: { compute_s } } = done;
    const msOfOne = (1e3 * compute_s / Math.max(1, frames)).toFixed(1);
    controls.say(`Done: ${seconds.toFixed(2)} s of audio, ${frames} vectors, each in ${msOfOne} ms of computing.`);
  } catch {
  }
}
async function openMicrophones() {
  const source = await openMicrophone({
    workletUrl: "/assets/worklet.js",
    channels: selected.channels,
    devices: selected.channels === 2 ? microphones.devices : [
      ""
    ]
  });
  await microphones.list();
  return source;
}
function pause() {
  const isPaused = live?.togglePause();
  if (isPaused === void 0) return;
  controls.showPaused(isPaused);
  controls.say(isPaused ? "Paused: the model waits, and forgets nothing." : "Continuing.");
}
async function reset() {
  const answer = live?.reset();
  if (!answer) return;
  beginAudio();
  try {
    const { segment } = await answer;
    controls.say(`Reset: the model has forgotten everything (segment ${segment}).`);
  } catch {
  }
}
async function changeOutputs() {
  const isOther = shown !== controls.shown;
  await update();
  if (isOther) beginVectors();
  explainScores();
}
async function changeHeads() {
  beginHeads();
  microphones.show(choice.isOfTwo, {
    isLive: live !== void 0
  });
  await update();
}
function changeModel() {
  explainScores();
  selected.offerHere();
  offerHeads();
}
async function update() {
  try {
    await live?.update(selected.outputs);
  } catch {
  }
}
function offerHeads() {
  const gone = selected.offerHeads();
  microphones.show(choice.isOfTwo, {
    isLive: live !== void 0
  });
  beginHeads();
  return gone;
}
async function lookForHeads() {
  try {
    await selected.load();
  } catch {
    return;
  }
  const gone = offerHeads();
  if (gone.length === 0) return;
  controls.complain(`The server no longer has the head ${gone.join(" and ")}, so it is off the list. Start again.`);
}
function explainScores() {
  surprise.explain({
    isOn: controls.isScoring,
    isPossible: selected.canScore
  });
}
async function askForModels() {
  try {
    await selected.load();
    controls.forgive();
    controls.say("Press the button and speak, or drop an audio file. Keys: M microphone, P pause, R reset.");
  } catch (error) {
    if (isOf(error, {
      code: "unauthorized"
    }) && !controls.key) {
      controls.say("This server requires a key: type it above.");
    } else complain(error);
  }
  changeModel();
}
function isOf(error, members) {
  return error instanceof StreamError && Object.entries(members).every(([name, value]) => error[name] === value);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => panels.recolour());
new ResizeObserver(() => panels.drawSoon()).observe(byId("map", HTMLCanvasElement));
beginAudio();
setInterval(() => panels.tell(), TELL_MS);
show("idle", "idle");
void askForModels();
