/**
 * The server's settings: one table of flags, their environment twins, and the bounds of everything
 * else.
 */
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { parseArgs } from "node:util";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { LOG_LEVELS, type LogLevel } from "../log.ts";
import { ENGINE_KINDS, type EngineKind, type Precision, PRECISIONS } from "../model/engine.ts";

/** Settings of `deno task start`. */
export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  /** Weights folders; the first is the default model. */
  readonly models: readonly string[];
  readonly engine: EngineKind;
  readonly device: string;
  readonly precision: Precision;
  readonly workers: number;
  readonly maxStreams: number;
  readonly apiKeys: readonly ApiKey[];
  readonly allowOrigins: readonly string[];
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly logLevel: LogLevel;
  readonly idleTimeoutS: number;
  readonly resumeWindowS: number;
  readonly sessionLimitS: number;
  readonly maxMessageBytes: number;
  readonly maxChunkSeconds: number;
  readonly backlogLimitS: number;
  readonly backlogWarningS: number;
  readonly maxOutputBytes: number;
  readonly slowReaderWarningS: number;
  readonly slowReaderTimeoutS: number;
  readonly maxKeptSessions: number;
}

/** A key that clients may bring. */
export interface ApiKey {
  /** Who it is, in logs and quotas. */
  readonly name: string;
  /** Hex SHA-256 of the key. */
  readonly sha256: string;
  readonly maxStreams: number;
  readonly requestsPerMinute: number;
}

interface Flag {
  readonly value?: string;
  readonly help: string;
  readonly fallback?: string;
  readonly multiple?: true;
}

/**
 * The flags of `start`, in the order of `--help`. Each has the environment twin `CPC_` + its name
 * in capitals.
 */
export const START_FLAGS = {
  host: {
    value: "HOST",
    fallback: "127.0.0.1",
    help: "address to listen on; another than loopback needs an --api-key",
  },
  port: { value: "PORT", fallback: "8000", help: "port to listen on; 0 takes a free one" },
  model: {
    value: "FOLDER",
    fallback: "weights/cpc-base",
    multiple: true,
    help: "weights folder; repeat it for several, the first is the default",
  },
  engine: { value: "NAME", fallback: "onnx", help: `what computes: ${ENGINE_KINDS.join(" or ")}` },
  device: { value: "NAME", fallback: "auto", help: "where: auto, cpu, webgpu, cuda, …" },
  precision: {
    value: "NAME",
    fallback: "fp32",
    help: "fp32, or int8: faster, features 1 to 2 % off (onnx on the CPU; docs/int8.md)",
  },
  workers: { value: "N", help: "model workers (default: the machine's cores)" },
  "max-streams": { value: "N", fallback: "1024", help: "most streams at once" },
  "max-streams-per-key": {
    value: "N",
    help:
      "most streams at once of a key that names no max_streams of its own (default: as the server)",
  },
  "api-key": {
    value: "KEY",
    multiple: true,
    help:
      "a key that clients must bring, best a long random one; repeat it for several; without any, all are let in",
  },
  "api-keys-file": {
    value: "FILE",
    help: "JSON list of keys with names and quotas, see docs/keys.md",
  },
  "allow-origin": {
    value: "ORIGIN",
    multiple: true,
    help: "another web origin whose pages may connect, such as https://app.example",
  },
  "tls-cert": { value: "FILE", help: "certificate (PEM), with --tls-key: serve https and wss" },
  "tls-key": { value: "FILE", help: "private key (PEM)" },
  "log-level": { value: "LEVEL", fallback: "info", help: LOG_LEVELS.join(", ") },
  "idle-timeout": {
    value: "SECONDS",
    fallback: "60",
    help: "a stream without any message ends after this",
  },
  "resume-window": {
    value: "SECONDS",
    fallback: "60",
    help: "how long a stream that lost its connection can be resumed",
  },
  "session-limit": { value: "SECONDS", fallback: "14400", help: "longest stream" },
  "max-message-bytes": { value: "BYTES", fallback: "1048576", help: "longest WebSocket message" },
  "max-chunk-seconds": {
    value: "SECONDS",
    fallback: "300",
    help: "longest audio in one WebSocket message",
  },
  "backlog-limit": {
    value: "SECONDS",
    fallback: "10",
    help: "audio of a stream that may wait for the model before its socket is no longer read",
  },
  "backlog-warning": {
    value: "SECONDS",
    fallback: "1",
    help: "a stream whose socket was not read for as long is warned",
  },
  "max-output-bytes": {
    value: "BYTES",
    fallback: "1048576",
    help: "frames of a stream that may wait for their reader before nothing more is computed",
  },
  "slow-reader-warning": {
    value: "SECONDS",
    fallback: "5",
    help: "a client that reads too slowly for as long is warned",
  },
  "slow-reader-timeout": {
    value: "SECONDS",
    fallback: "30",
    help: "a client that reads too slowly for as long is ended",
  },
  "max-kept-sessions": {
    value: "N",
    fallback: "1000",
    help: "most streams without a connection that are kept for a resume",
  },
  "allow-anonymous": { help: "let anyone in on an address that is not loopback, without keys" },
  help: { help: "this text" },
} as const satisfies Record<string, Flag>;

/** The environment variable of a flag. */
export function environmentName(flag: string): string {
  return `CPC_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/** The text of `start --help`. */
export function startHelp(): string {
  const rows = Object.entries<Flag>(START_FLAGS).map(
    ([name, { value, help, fallback, multiple }]) => {
      const flag = `--${name}${value ? ` ${value}` : ""}`;
      const notes = [
        fallback && `default ${fallback}`,
        multiple && "repeatable",
        name !== "help" && environmentName(name),
      ];
      return `  ${flag.padEnd(28)} ${help} (${notes.filter(Boolean).join("; ")})`.replace(
        " ()",
        "",
      );
    },
  );
  return `Serves CPC features of speech over WebSockets and REST.

usage: deno task start [flags]

${rows.join("\n")}

Environment variables of repeatable flags are comma lists. A flag wins over its variable.`;
}

/**
 * Reads flags and environment.
 *
 * @param args the command line
 * @param environment a variable's value, such as `Deno.env.get`
 * @returns the settings; undefined when help was asked for
 * @throws {UsageError} naming the flag, its bound and what was given
 */
export function parseStart(
  args: string[],
  environment: (name: string) => string | undefined,
): ServerConfig | undefined {
  const given = flagsOf(args);
  if (given.help) return undefined;
  const raw = (name: keyof typeof START_FLAGS): string | undefined => {
    const flag: Flag = START_FLAGS[name];
    const value = given[name];
    if (typeof value === "string") return value;
    return environment(environmentName(name)) || flag.fallback;
  };
  const list = (name: keyof typeof START_FLAGS): string[] => {
    const value = given[name];
    if (Array.isArray(value)) return value.map(String);
    return (raw(name) ?? "").split(",").map((part) => part.trim()).filter(Boolean);
  };
  const whole = (
    name: keyof typeof START_FLAGS,
    { min, max, fallback }: { min: number; max: number; fallback?: number },
  ): number => {
    const text = raw(name);
    if (text === undefined && fallback !== undefined) return fallback;
    const value = Number(text);
    if (/^\d+$/.test(text ?? "") && value >= min && value <= max) return value;
    throw new UsageError(
      `--${name} takes a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`,
    );
  };
  const oneOf = <T extends string>(name: keyof typeof START_FLAGS, values: readonly T[]): T => {
    const text = raw(name);
    const value = values.find((value) => value === text);
    if (value) return value;
    throw new UsageError(`--${name} takes ${values.join(", ")}, got ${JSON.stringify(text)}`);
  };
  const seconds = { min: 1, max: 30 * 86_400 };
  const maxStreams = whole("max-streams", { min: 1, max: 100_000 });
  const keyStreams = whole("max-streams-per-key", { min: 1, max: 100_000, fallback: maxStreams });
  const config: ServerConfig = {
    host: raw("host") ?? "",
    port: whole("port", { min: 0, max: 65_535 }),
    models: list("model").map(modelFolder),
    engine: oneOf("engine", ENGINE_KINDS),
    device: raw("device") ?? "auto",
    precision: oneOf("precision", PRECISIONS),
    workers: whole("workers", { min: 1, max: 256, fallback: navigator.hardwareConcurrency }),
    maxStreams,
    apiKeys: [
      ...list("api-key").map((key, i) =>
        plainKey(key, { name: `key${i + 1}`, maxStreams: keyStreams })
      ),
      ...keysOfFile(raw("api-keys-file"), { maxStreams: keyStreams }),
    ],
    allowOrigins: list("allow-origin").map(originOf),
    tls: tlsOf(raw("tls-cert"), raw("tls-key")),
    logLevel: oneOf("log-level", LOG_LEVELS),
    idleTimeoutS: whole("idle-timeout", seconds),
    resumeWindowS: whole("resume-window", { ...seconds, min: 0 }),
    sessionLimitS: whole("session-limit", seconds),
    maxMessageBytes: whole("max-message-bytes", { min: 1, max: 64 * 1024 * 1024 }),
    maxChunkSeconds: whole("max-chunk-seconds", { ...seconds, min: 10 }),
    backlogLimitS: whole("backlog-limit", { min: 1, max: 600 }),
    backlogWarningS: whole("backlog-warning", { ...seconds, min: 0 }),
    maxOutputBytes: whole("max-output-bytes", { min: 65_536, max: 1024 * 1024 * 1024 }),
    slowReaderWarningS: whole("slow-reader-warning", seconds),
    slowReaderTimeoutS: whole("slow-reader-timeout", seconds),
    maxKeptSessions: whole("max-kept-sessions", { min: 0, max: 1_000_000 }),
  };
  const ids = config.models.map((folder) => basename(resolve(folder)));
  const sameId = ids.find((id, i) => ids.indexOf(id) !== i);
  if (sameId !== undefined) {
    throw new UsageError(
      `--model names two folders called ${sameId}: a model's id is its folder's name`,
    );
  }
  const names = config.apiKeys.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new UsageError(`--api-keys-file names ${JSON.stringify(twice)} twice`);
  }
  const anonymous = given["allow-anonymous"] === true ||
    /^(1|true)$/.test(environment("CPC_ALLOW_ANONYMOUS") ?? "");
  if (config.apiKeys.length === 0 && !isLoopback(config.host) && !anonymous) {
    throw new UsageError(
      `--host ${config.host} is open to other machines: set an --api-key, or say --allow-anonymous`,
    );
  }
  return config;
}

function flagsOf(args: string[]) {
  const options = Object.fromEntries(
    Object.entries<Flag>(START_FLAGS).map(([name, { value, multiple }]) => [
      name,
      { type: value ? "string" as const : "boolean" as const, multiple: multiple ?? false },
    ]),
  );
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(
      `${(error as Error).message.split(/\. |\.?\n/)[0]}; --help lists the flags`,
    );
  }
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function tlsOf(certFile: string | undefined, keyFile: string | undefined): ServerConfig["tls"] {
  if (!certFile && !keyFile) return undefined;
  if (!certFile || !keyFile) throw new UsageError("--tls-cert and --tls-key go together");
  const read = (flag: string, file: string) => {
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      throw new UsageError(`--${flag}: cannot read ${file}: ${(error as Error).message}`);
    }
  };
  const [cert, key] = [read("tls-cert", certFile), read("tls-key", keyFile)];
  const parsed = <T>(flag: string, what: string, parse: () => T): T => {
    try {
      return parse();
    } catch (error) {
      throw new UsageError(`--${flag} takes ${what} in PEM: ${(error as Error).message}`);
    }
  };
  const certificate = parsed("tls-cert", "a certificate", () => new X509Certificate(cert));
  const privateKey = parsed(
    "tls-key",
    "a private key without a passphrase",
    () => createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new UsageError("--tls-key is not the key of the certificate in --tls-cert");
  }
  return { cert, key };
}

/** An origin as browsers send it. */
function originOf(text: string): string {
  const url = /^https?:/i.test(text) ? URL.parse(text) : null;
  const origin = url && url.href === `${url.origin}/`
    ? url.origin
    : text.replace(/\/$/, "").toLowerCase();
  if (/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/.test(origin)) return origin;
  throw new UsageError(
    `--allow-origin takes an origin such as https://app.example, got ${JSON.stringify(text)}`,
  );
}

/** A key of the command line. */
function plainKey(key: string, { name, maxStreams }: { name: string; maxStreams: number }): ApiKey {
  if (!/^[\w.~+/=-]+$/.test(key)) {
    throw new UsageError("--api-key takes letters, digits and . _ ~ + / = -");
  }
  const sha256 = createHash("sha256").update(key).digest("hex");
  return { name, sha256, maxStreams, requestsPerMinute: Infinity };
}

const keysFileSchema = z.array(z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/i),
  max_streams: z.int().min(0).optional(),
  requests_per_minute: z.int().min(1).optional(),
}));

function keysOfFile(file: string | undefined, { maxStreams }: { maxStreams: number }): ApiKey[] {
  if (!file) return [];
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`--api-keys-file: cannot read ${file}: ${(error as Error).message}`);
  }
  const keys = keysFileSchema.safeParse(json);
  if (!keys.success) {
    throw new UsageError(
      `--api-keys-file ${file}: ${z.prettifyError(keys.error).replaceAll("\n", " ")}`,
    );
  }
  return keys.data.map(
    ({ name, sha256, max_streams = maxStreams, requests_per_minute = Infinity }) => {
      return { name, sha256, maxStreams: max_streams, requestsPerMinute: requests_per_minute };
    },
  );
}

/** The shipped weights are found from any working directory. */
function modelFolder(folder: string): string {
  if (folder !== START_FLAGS.model.fallback) return folder;
  return fileURLToPath(new URL(`../${folder}`, import.meta.url));
}
