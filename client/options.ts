/** Options of a stream, and the query they become. */
import type { Encoding, Output } from "./protocol.ts";
import type { SocketConstructor } from "./socket.ts";

/** Options of `connect`; docs/client.md explains them. */
export interface Options {
  /** API key or token; sent as a subprotocol, because browsers cannot set headers. */
  readonly key?: string;
  readonly model?: string;
  /** Encoding of the audio; default f32le. */
  readonly encoding?: Encoding;
  /** Sample rate of the audio, 8000 to 96000 Hz; default 16000. */
  readonly sampleRate?: number;
  /** Number of interleaved channels; default 1. */
  readonly channels?: number;
  /** The channel to use, from 0; default: the mean of all. */
  readonly channel?: number;
  /** Whether every channel has frames of its own; default false. */
  readonly split?: boolean;
  /** Default context. */
  readonly output?: readonly Output[];
  /** 1 to K; default all. */
  readonly steps?: readonly number[];
  /** Frames f with f mod every = 0; default 1. */
  readonly every?: number;
  /** Default binary. */
  readonly format?: "json" | "binary";
  /** Type of the numbers in binary frames; default f32. */
  readonly dtype?: "f32" | "f16";
  /** Whether to resume after a lost connection; default true. */
  readonly resume?: boolean;
  /** How long to try to resume; default 60000. */
  readonly resumeForMs?: number;
  /** Whether to keep a stream open while no audio is sent; default true. */
  readonly keepAlive?: boolean;
  /** Audio that may be sent ahead of its frames; default 8. */
  readonly windowSeconds?: number;
  /**
   * Time to wait for a connection, and for a sign of life while the server owes an answer; default
   * 20000.
   */
  readonly timeoutMs?: number;
  /** Aborting it ends the stream. */
  readonly signal?: AbortSignal;
  /**
   * Constructor to use; default: the global one (Node 20 has none, so pass the one of the package
   * `ws`).
   */
  readonly WebSocket?: SocketConstructor;
}

/** Options with a default of the client's own; the server fills in the others. */
export type KnownOptions = Options & Required<Pick<Options, keyof typeof DEFAULTS>>;

const DEFAULTS = {
  encoding: "f32le",
  channels: 1,
  format: "binary",
  resume: true,
  resumeForMs: 60_000,
  keepAlive: true,
  windowSeconds: 8,
  timeoutMs: 20_000,
} as const satisfies Options;

/** Fills in the client's defaults; `undefined` counts as not given. */
export function withDefaults(options: Options): KnownOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...DEFAULTS, ...Object.fromEntries(given) };
}

/** The stream's address at a server. */
export function streamUrl(server: string | URL): URL {
  const url = new URL(server);
  url.protocol = url.protocol.replace("http", "ws");
  if (url.pathname === "/") url.pathname = "/v1/stream";
  return url;
}

/** The query of a new stream. */
export function streamQuery(options: KnownOptions): [name: string, value: string][] {
  const { model, encoding, sampleRate, channels, channel, split } = options;
  const { output, steps, every, format, dtype } = options;
  const query = {
    model,
    encoding,
    sample_rate: sampleRate,
    channels,
    channel,
    split: split ? 1 : undefined,
    output,
    steps,
    every,
    format,
    dtype,
  };
  return Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]]
  );
}

/** Subprotocols of the handshake: `cpc.v1`, and the key. */
export function subprotocols(key: string | undefined): string[] {
  return key ? ["cpc.v1", keyProtocol(key)] : ["cpc.v1"];
}

/** A key as a subprotocol: plain if its characters allow that, otherwise in base64url. */
function keyProtocol(key: string): string {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(key)) return `bearer.${key}`;
  const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(key)));
  return `bearer64.${base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}
