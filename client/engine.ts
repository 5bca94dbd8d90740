/** A page's engine: the worker that computes a model's streams, and their sockets. */
import type {
  FromEngine,
  FromStream,
  LocalDevice,
  StreamState,
  ToEngine,
  ToStream,
} from "./engine_messages.ts";
import type { SocketLike } from "./socket.ts";
import { StreamError } from "./stream_error.ts";

/** How long an engine without a stream waits for the next one: loading takes seconds. */
const KEPT_MS = 60_000;

/** Which engine. */
export interface EngineOptions {
  /** Address of the weights folder. */
  readonly model: string;
  /** Folder of the engine's files. */
  readonly files: URL;
  readonly device?: LocalDevice;
  /** API key of the model's server. */
  readonly key?: string;
}

/** By what they were loaded with. */
const engines = new Map<string, Promise<Engine>>();

/** A worker with a model. */
export class Engine {
  readonly #worker: Worker;
  readonly #name: string;
  readonly #sockets = new Set<LocalSocket>();
  #leaving: ReturnType<typeof setTimeout> | undefined;

  private constructor(worker: Worker, name: string) {
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
  static load({ model, files, device = "wasm", key }: EngineOptions): Promise<Engine> {
    const name = JSON.stringify([model, files, device, key]);
    const known = engines.get(name);
    if (known) return known;
    const loading = start(scriptOf(device, files), { type: "load", model, key, device })
      .then((worker) => new Engine(worker, name));
    engines.set(name, loading);
    loading.catch(() => engines.delete(name));
    return loading;
  }

  /** Opens the stream of a socket; returns their port. */
  open(
    socket: LocalSocket,
    { query, state }: Omit<ToEngine & { type: "open" }, "type">,
  ): MessagePort {
    clearTimeout(this.#leaving);
    this.#sockets.add(socket);
    const { port1, port2 } = new MessageChannel();
    const message: ToEngine = { type: "open", query, state };
    this.#worker.postMessage(message, [port2]);
    return port1;
  }

  /** A stream has ended. */
  left(socket: LocalSocket): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) this.#leaveSoon();
  }

  #leaveSoon(): void {
    clearTimeout(this.#leaving);
    this.#leaving = setTimeout(() => this.#end("it was not used"), KEPT_MS);
  }

  #end(why: string): void {
    clearTimeout(this.#leaving);
    engines.delete(this.#name);
    this.#worker.terminate();
    for (const socket of [...this.#sockets]) socket.fail(`the engine has stopped: ${why}`);
  }
}

/** Each device has a runtime of its own. */
function scriptOf(device: LocalDevice, files: URL): URL {
  if (files.origin !== location.origin) {
    throw new StreamError(
      "unsupported",
      `a page may start workers from its own origin alone, not from ${files.origin}: serve the ` +
        "engine's files there, and name their folder in the option engine (docs/browser.md)",
    );
  }
  return new URL(`engine_${device}.js`, files);
}

/** Starts a worker and loads its model. */
function start(script: URL, load: ToEngine): Promise<Worker> {
  const worker = new Worker(script, { type: "module", name: "cpc-stream" });
  return new Promise<Worker>((resolve, reject) => {
    const fail = (code: string, why: string) => {
      worker.terminate();
      reject(new StreamError(code, why));
    };
    worker.onmessage = ({ data }: MessageEvent<FromEngine>) => {
      if (data.type === "failed") fail(data.code, data.message);
      else resolve(worker);
    };
    worker.onerror = ({ message }) =>
      fail("unsupported", `${script} cannot run${message ? `: ${message}` : ""}`);
    worker.postMessage(load);
  });
}

type Listener = (event: { data: unknown; code: number; reason: string }) => void;

/** A stream's way to the engine, which looks like a WebSocket. */
export class LocalSocket implements SocketLike {
  binaryType = "arraybuffer";
  /** Nothing waits here: what is ahead of its frames is bounded by the stream's window. */
  readonly bufferedAmount = 0;
  readonly #port: MessagePort;
  readonly #engine: Engine;
  readonly #listeners: Record<"message" | "close" | "error", Listener[]> = {
    message: [],
    close: [],
    error: [],
  };
  #saving: PromiseWithResolvers<StreamState | undefined> | undefined;
  #readyState = 1;

  /** @param options `query`: as on a server; `state`: to continue; `opened`: told of this socket */
  constructor(engine: Engine, { query, state, opened }: {
    query: string;
    state?: StreamState;
    opened: (socket: LocalSocket) => void;
  }) {
    this.#engine = engine;
    const port = this.#port = engine.open(this, { query, state });
    opened(this);
    port.onmessage = ({ data }: MessageEvent<FromStream>) => this.#take(data);
  }

  get readyState(): number {
    return this.#readyState;
  }

  addEventListener(type: "message" | "close" | "error", listener: Listener): void {
    this.#listeners[type].push(listener);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.#post(data);
  }

  /** The stream's state after everything sent; undefined if it ends before. */
  save(): Promise<StreamState | undefined> {
    if (this.#readyState > 1) return Promise.resolve(undefined);
    this.#saving ??= Promise.withResolvers();
    this.#post({ type: "save" });
    return this.#saving.promise;
  }

  close(): void {
    this.#post({ type: "close" });
    this.#end(1000, "");
  }

  /** The engine is gone. */
  fail(message: string): void {
    const code = "model_failed";
    this.#emit("message", {
      data: JSON.stringify({ type: "error", code, message, fatal: true, retryable: true }),
    });
    this.#end(4500, code);
  }

  #take(message: FromStream): void {
    if (typeof message === "string" || message instanceof ArrayBuffer) {
      this.#emit("message", { data: message });
    } else if (message.type === "saved") {
      this.#saving?.resolve(message.state);
      this.#saving = undefined;
    } else this.#end(message.code, message.reason);
  }

  #post(message: ToStream): void {
    this.#port.postMessage(message);
  }

  #end(code: number, reason: string): void {
    if (this.#readyState > 1) return;
    this.#readyState = 3;
    this.#saving?.resolve(undefined);
    this.#port.close();
    this.#engine.left(this);
    this.#emit("close", { code, reason });
  }

  #emit(
    type: "message" | "close",
    { data, code = 0, reason = "" }: { data?: unknown; code?: number; reason?: string },
  ): void {
    for (const listener of this.#listeners[type]) listener({ data, code, reason });
  }
}
