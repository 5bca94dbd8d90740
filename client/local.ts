/** The model in this browser instead of on a server: the same stream, computed by a worker. */
import { Engine, LocalSocket } from "./engine.ts";
import type { LocalDevice, StreamState } from "./engine_messages.ts";
import type { Options } from "./options.ts";
import type { PcmEncoding } from "./protocol.ts";
import { CpcStream } from "./stream.ts";
import { StreamError } from "./stream_error.ts";

/** Options of `connect` for a stream that this browser computes; docs/browser.md explains them. */
export interface LocalOptions
  extends Omit<Options, "model" | "encoding" | "resume" | "resumeForMs" | "WebSocket"> {
  /** Address of a weights folder, such as `/weights/cpc-small/` on a cpc-stream server. */
  readonly model: string | URL;
  /** API key of the model's server. */
  readonly key?: string;
  readonly encoding?: PcmEncoding;
  /** Where to compute; default wasm. */
  readonly device?: LocalDevice;
  /**
   * Address of the folder with the engine's files, on the page's own origin; default `/assets/` of
   * the model's server.
   */
  readonly engine?: string | URL;
  /** Continue a stream that {@linkcode LocalStream.save} gave. */
  readonly state?: StreamState;
}

/** A stream that this browser computes. */
export class LocalStream extends CpcStream {
  readonly #socket: () => LocalSocket | undefined;

  /** Describes a stream of a loaded engine; `connect` opens it. */
  constructor(engine: Engine, { state, ...options }: Options & { state?: StreamState }) {
    let socket: LocalSocket | undefined;
    super("http://this-browser", {
      ...options,
      resume: false, // no connection can be lost
      WebSocket: class extends LocalSocket {
        constructor(url: string) {
          super(engine, { query: new URL(url).search, state, opened: (own) => socket = own });
        }
      },
    });
    this.#socket = () => socket;
  }

  /**
   * The stream as a value: `connect({ model, state })` continues it, in this page or another, with
   * the frames of an unbroken stream. It holds everything sent so far.
   *
   * @throws {StreamError} when the stream has ended
   */
  async save(): Promise<StreamState> {
    await this.mark(); // everything before has been sent
    const saved = await this.#socket()?.save();
    if (!saved) throw new StreamError("closed", "the stream ended before it was saved");
    return saved;
  }
}

/**
 * Opens a stream that this browser computes. The first one loads the model; others share it.
 *
 * @throws {StreamError} if the model cannot be loaded, or an option is refused
 */
export async function connectHere(
  { model, engine, device, key, ...options }: LocalOptions,
): Promise<LocalStream> {
  const page = globalThis.location?.href;
  if (page === undefined || !globalThis.Worker) {
    const why = "models are computed in browsers alone; here, connect to a server by its address";
    throw new StreamError("unsupported", why);
  }
  const folder = new URL(model, page);
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  const files = new URL(engine ?? "/assets/", folder);
  const loading = Engine.load({ model: folder.href, files, device, key });
  const loaded = await unlessAborted(loading, options.signal);
  const stream = new LocalStream(loaded, options);
  await stream.open();
  return stream;
}

/** What a promise gives, unless a signal comes first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () =>
    reject(new StreamError("aborted", "the stream was aborted", { cause: signal.reason }));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
