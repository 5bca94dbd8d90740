/**
 * What the supervisor and its servers say to each other: one JSON object a line, on a server's
 * standard input and output.
 */
import { z } from "zod";

/** The one word on the command line of a server that has a supervisor. */
export const SUPERVISED = "supervised";

/** A metric as prom-client's `getMetricsAsJSON()` gives it. */
const metricSchema = z.looseObject({
  name: z.string(),
  help: z.string(),
  type: z.enum(["counter", "gauge", "histogram", "summary"]),
  aggregator: z.enum(["sum", "first", "min", "max", "average", "omit"]),
  values: z.array(z.looseObject({
    value: z.number(),
    labels: z.record(z.string(), z.union([z.string(), z.number()])),
    metricName: z.string().optional(),
  })),
});
/** The metrics of one server. */
export const snapshotSchema = z.array(metricSchema);
/** The metrics of one server. */
export type MetricsSnapshot = z.infer<typeof snapshotSchema>;

/** What a key has used since the last time. */
const usedSchema = z.object({
  audio_seconds: z.number(),
  frames: z.int(),
  requests: z.int(),
}).partial();

const id = z.int();
/** An administrator's command. What it may say, the routes know. */
const passedCommand = z.looseObject({});
/** An administrator's command, as it is passed on. */
export type PassedCommand = z.infer<typeof passedCommand>;

/**
 * What a server says. What has an `id` is a question, save `collected` and `administered`, which
 * are answers.
 */
export const fromServerSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), url: z.string() }),
  /** A signal reached this server. */
  z.object({ type: z.literal("signalled") }),
  z.object({
    type: z.literal("take"),
    id,
    /** The server's own number for the place. */
    place: z.int(),
    owner: z.string(),
    streams: z.int(),
    session: z.string().optional(),
    most: z.int(),
    ownMost: z.int().optional(),
  }),
  z.object({
    type: z.literal("name"),
    place: z.int(),
    session: z.string(),
    streams: z.int(),
  }),
  /** The session of a place has more streams than it was taken for. */
  z.object({
    type: z.literal("grow"),
    id,
    place: z.int(),
    streams: z.int(),
    most: z.int(),
    ownMost: z.int().optional(),
  }),
  z.object({ type: z.literal("leave"), place: z.int() }),
  z.object({ type: z.literal("spend"), id, owner: z.string(), perMinute: z.number() }),
  z.object({ type: z.literal("metrics"), id }),
  z.object({
    type: z.literal("collected"),
    id,
    metrics: snapshotSchema,
    used: z.array(z.tuple([z.string(), usedSchema])).readonly(),
  }),
  z.object({ type: z.literal("usage"), id, key: z.string() }),
  /** An administrator's command, for all servers; each answers. */
  z.object({
    type: z.literal("administer"),
    id,
    withinMs: z.number(),
    command: passedCommand,
    /** The last command of this name holds for servers that begin later, too. */
    settles: z.string().optional(),
  }),
  z.object({ type: z.literal("administered"), id, told: z.looseObject({}) }),
  /** An administrator wants all servers to stop. */
  z.object({ type: z.literal("drain"), withinS: z.number() }),
]);
/** What a server says. */
export type FromServer = z.infer<typeof fromServerSchema>;

/** What a server takes of the whole. */
const shareSchema = z.object({
  /** Its number, 1 … processes. */
  process: z.int(),
  processes: z.int(),
  port: z.int(),
  /** Signs short-lived tokens: 32 bytes in base64. */
  secret: z.string(),
  /** The folder of sessions that ends with the supervisor; absent with a `--store`. */
  privateStore: z.string().optional(),
  /** Administrators' commands that all servers have carried out and that still hold. */
  commands: z.array(passedCommand).readonly(),
}).readonly();
/** What a server takes of the whole. */
export type Share = z.infer<typeof shareSchema>;

/** What the supervisor says. `begin` comes first. */
export const toServerSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("begin"),
    /** The words of the command line. */
    args: z.array(z.string()).readonly(),
    share: shareSchema,
  }),
  z.object({
    type: z.literal("answer"),
    id,
    value: z.union([z.string(), z.number(), z.null()]),
  }),
  z.object({ type: z.literal("collect"), id }),
  z.object({ type: z.literal("administer"), id, command: passedCommand }),
  /** A signal asks for the keys to be read again; this server has all of them do so. */
  z.object({ type: z.literal("reload") }),
  /** Drain and end; `whole`: all the others do so too; `withinMs`: if not as the settings say. */
  z.object({ type: z.literal("stop"), whole: z.boolean(), withinMs: z.number().optional() }),
]);
/** What the supervisor says. */
export type ToServer = z.infer<typeof toServerSchema>;
