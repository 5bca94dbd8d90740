/**
 * The settings of the server, one entry each. Parsing, `--help`, the values in the code,
 * `ready.limits`, its schema and the tables in docs/settings.md and docs/limits.md follow from
 * them.
 */
import { LOG_LEVELS } from "../log.ts";
import { ENGINE_KINDS, PRECISIONS } from "../model/engine.ts";
import { givenHeadOf } from "./heads.ts";
import { choice, custom, file, path, repeatable, text, whole, yes } from "./kinds.ts";
import type { Setting, Values } from "./setting.ts";
import { bytesOf } from "./memory.ts";
import { hostOf, originOf } from "./origins.ts";
import { MASK, storePlaceOf, storeWithoutPassword } from "./store.ts";

/** Thirty days: the longest time in a setting. */
const LONGEST_S = 30 * 86_400;

export const SHIPPED_MODEL = "weights/cpc-base";

/** The single model of a command. */
export const MODEL_SETTING = path({ fallback: SHIPPED_MODEL, help: "weights folder" });

/** The engine and its device: settings that several commands share. */
export const COMPUTE_SETTINGS = {
  models: repeatable(path({
    fallback: SHIPPED_MODEL,
    help: "weights folder; repeat it for several, the first is the default",
  })),
  engine: choice(ENGINE_KINDS, {
    value: "NAME",
    fallback: "onnx",
    help: `inference engine: ${ENGINE_KINDS.join(" or ")}`,
  }),
  device: text({
    value: "NAME",
    fallback: "auto",
    help: "the engine's device: auto, cpu, webgpu, cuda, …",
  }),
  precision: choice(PRECISIONS, {
    value: "NAME",
    fallback: "fp32",
    help: "fp32, or int8: faster, features 1 to 2 % off (onnx on the CPU; docs/int8.md)",
  }),
  workers: whole({
    min: 1,
    max: 256,
    words: "the machine's cores; one for a card, four with CUDA",
    help: "model workers, of all --processes together",
  }),
};

/** Heads that are given by name: a setting that several commands share. */
export const HEAD_SETTING = repeatable(custom({
  value: "NAME=FOLDER",
  words: "those in heads/ of each weights folder",
  help: "another head (docs/heads.md); FOLDER?any-features takes one of other features",
}, { takes: "NAME=FOLDER, with ?any-features or without", accept: givenHeadOf }));

/** Their values. */
export type ComputeSettings = Values<typeof COMPUTE_SETTINGS>;

/** The settings of `deno task start`, in the order of its help. */
export const SERVER_SETTINGS = {
  host: text({
    value: "HOST",
    fallback: "127.0.0.1",
    help: "address to listen on; any non-loopback address requires --api-key",
  }),
  port: whole({
    value: "PORT",
    min: 0,
    max: 65_535,
    fallback: 8000,
    help: "port to listen on; 0 picks a free one",
  }),
  ...COMPUTE_SETTINGS,
  processes: whole({
    min: 1,
    max: 64,
    fallback: 1,
    help: "servers that share this port, sessions, limits and keys; see docs/scale.md",
  }),
  heads: HEAD_SETTING,
  maxStreams: whole({
    min: 1,
    max: 100_000,
    fallback: 1024,
    told: "streams",
    help: "most streams at once",
    beyond: "4429, `too_many_streams`",
  }),
  maxStreamsPerKey: whole({
    min: 1,
    max: 100_000,
    words: "as --max-streams",
    told: "key_streams",
    help: "most streams at once of a key without a max_streams of its own",
    beyond: "4429, `too_many_streams`",
  }),
  apiKeys: repeatable(custom({
    value: "KEY",
    words: "everyone is let in",
    help: "a key that clients must send, preferably long and random",
  }, {
    takes: "letters, digits and . _ ~ + / = -",
    accept: (key) => /^[\w.~+/=-]+$/.test(key) ? key : undefined,
    secret: () => MASK,
  })),
  apiKeysFile: file({ help: "JSON list of keys with names and quotas; see docs/keys.md" }),
  allowOrigins: repeatable(custom({
    value: "ORIGIN",
    help: "another web origin whose pages may connect",
  }, { takes: "an origin such as https://app.example", accept: originOf })),
  allowHosts: repeatable(custom({
    value: "HOST",
    help: "another name of this server, which it checks if it has no keys",
  }, { takes: "a host name or address without a port", accept: hostOf })),
  tlsCert: file({ help: "certificate (PEM): with --tls-key, serves https and wss" }),
  tlsKey: file({ help: "private key of the certificate (PEM)" }),
  logLevel: choice(LOG_LEVELS, { value: "LEVEL", fallback: "info", help: LOG_LEVELS.join(", ") }),
  idleTimeoutS: whole({
    unit: "s",
    min: 1,
    max: LONGEST_S,
    fallback: 60,
    told: "idle_s",
    help: "how long a stream may go without a message",
    beyond: "`warning` `idle` after three quarters of it, then 4408",
  }),
  store: custom({
    value: "URL",
    words: "memory:, or a private file with --processes",
    help: "where sessions of lost connections are kept: memory:, sqlite:FILE or redis://HOST:PORT",
  }, {
    takes: "memory:, sqlite:FILE, redis://HOST:PORT[/DB] or rediss://HOST:PORT[/DB]",
    accept: storePlaceOf,
    secret: storeWithoutPassword,
  }),
  resumeWindowS: whole({
    unit: "s",
    min: 0,
    max: LONGEST_S,
    fallback: 60,
    told: "resume_s",
    help: "how long a stream that lost its connection can be resumed",
    beyond: "4404",
  }),
  sessionLimitS: whole({
    unit: "s",
    min: 1,
    max: LONGEST_S,
    fallback: 14_400,
    told: "session_s",
    help: "how long a stream may last, over all its connections",
    beyond: "4440",
  }),
  maxMessageBytes: whole({
    unit: "bytes",
    min: 1,
    max: 64 * 1024 * 1024,
    fallback: 1024 * 1024,
    told: "message_bytes",
    help: "longest WebSocket message",
    beyond: "1009",
  }),
  maxChunkSeconds: whole({
    unit: "s",
    min: 10,
    max: LONGEST_S,
    fallback: 300,
    told: "chunk_s",
    help: "most audio in one WebSocket message",
    beyond: "1009, `message_too_big`",
  }),
  backlogLimitS: whole({
    unit: "s",
    min: 1,
    max: 600,
    fallback: 10,
    told: "backlog_s",
    help: "audio of a stream that may wait for the model before its socket is no longer read",
    beyond: "the socket is not read: TCP slows the sender",
  }),
  backlogWarningS: whole({
    unit: "s",
    min: 0,
    max: LONGEST_S,
    fallback: 1,
    told: "backlog_warning_s",
    help: "how long reading may wait for the model, in all until it catches up, before a warning",
    beyond: "`warning` `backlog`, once a connection",
  }),
  maxOutputBytes: whole({
    unit: "bytes",
    min: 65_536,
    max: 1024 * 1024 * 1024,
    fallback: 1024 * 1024,
    told: "output_bytes",
    help: "frames of a stream that may wait for their reader",
    beyond: "nothing more is computed, nothing more is read",
  }),
  slowReaderWarningS: whole({
    unit: "s",
    min: 1,
    max: LONGEST_S,
    fallback: 5,
    told: "slow_reader_warning_s",
    help: "how long a client may read too slowly before it is warned",
    beyond: "`warning` `slow_reader`",
  }),
  slowReaderTimeoutS: whole({
    unit: "s",
    min: 1,
    max: LONGEST_S,
    fallback: 30,
    told: "slow_reader_s",
    help: "how long a client may read too slowly, or not read a REST answer, before it is cut off",
    beyond: "1013, `slow_reader`; a REST answer breaks off",
  }),
  requestTimeoutS: whole({
    unit: "s",
    min: 1,
    max: 86_400,
    fallback: 3600,
    help: "how long a request with recordings may take, to the end of its answer",
  }),
  maxKeptSessions: whole({
    min: 0,
    max: 1_000_000,
    fallback: 1000,
    told: "kept_sessions",
    help: "most streams without a connection that are kept for a resume",
    beyond: "the key with most of them loses its oldest: 4404",
  }),
  memoryBudget: custom({
    value: "BYTES",
    words: "80 % of the machine's memory",
    help: "what the server may hold in all, such as 4GiB; see docs/limits.md",
  }, { takes: "a number of bytes, such as 800MB or 4GiB", accept: bytesOf }),
  drainTimeoutS: whole({
    unit: "s",
    min: 1,
    max: 3600,
    fallback: 30,
    help: "how long the server may take to stop, whatever clients and workers do",
    beyond: "what is left is cut off",
  }),
  shareWeights: choice(["auto", "yes", "no"], {
    value: "WHEN",
    fallback: "auto",
    help: "whether browsers may fetch the models' files and compute by themselves " +
      "(docs/browser.md): auto if there are no keys",
  }),
  profile: yes({
    help: "time the parts of every step: a table each minute, histograms in /metrics",
  }),
  allowAnonymous: yes({ help: "let anyone in, without keys, on a non-loopback address" }),
};

type ServerTable = typeof SERVER_SETTINGS;

/** Bounds of streams that clients see, by their names in `ready.limits`. */
export type ToldSettings = {
  [
    Name in keyof ServerTable as ServerTable[Name] extends
      { readonly told: infer Told extends string } ? Told
      : never
  ]: Name;
};

/** The same as pairs: member of `ready.limits`, name of the setting. */
export const TOLD_SETTINGS = Object.entries<Setting>(SERVER_SETTINGS).flatMap(([name, { told }]) =>
  told === undefined ? [] : [[told, name]]
) as [keyof ToldSettings, ToldSettings[keyof ToldSettings]][];
