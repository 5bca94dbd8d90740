/**
 * The bounds of streams: what the hub enforces, made from the settings, and how `ready` tells it.
 */
import { LIMITS } from "../../config/limits.ts";
import type { ServerConfig } from "../../config/server.ts";
import type { ToldLimits } from "./messages.ts";

/** Bounds of streams. */
export interface StreamLimits {
  readonly maxStreams: number;
  /** Most streams of one key; Infinity for no bound. */
  maxStreamsOf(owner: string): number;
  readonly messageBytes: number;
  /** Seconds of audio in one message. */
  readonly chunkS: number;
  readonly idleS: number;
  readonly sessionS: number;
  /** How long a session without a socket is kept. */
  readonly resumeS: number;
  /** Sessions without a socket that are kept at the most. */
  readonly keptSessions: number;
  /** Seconds of audio that may wait to be computed before the socket is no longer read. */
  readonly backlogS: number;
  /** Seconds of waiting after which a `backlog` warning is sent. */
  readonly backlogWarnS: number;
  /** Outgoing bytes above which nothing more is computed for a socket. */
  readonly outputBytes: number;
  /** How long the outgoing bytes may be above that. */
  readonly slowReader: { readonly warnAfterS: number; readonly endAfterS: number };
  /** Between two pings. */
  readonly pingS: number;
}

/** What the hub enforces; `maxStreamsOf` tells the quota of a key's owner. */
export function streamLimits(
  config: ServerConfig,
  maxStreamsOf: (owner: string) => number,
): StreamLimits {
  return {
    maxStreams: config.maxStreams,
    maxStreamsOf,
    messageBytes: config.maxMessageBytes,
    chunkS: config.maxChunkS,
    idleS: config.idleTimeoutS,
    sessionS: config.sessionLimitS,
    resumeS: config.resumeWindowS,
    keptSessions: config.maxKeptSessions,
    backlogS: config.backlogLimitS,
    backlogWarnS: config.backlogWarningS,
    outputBytes: config.maxOutputBytes,
    slowReader: { warnAfterS: config.slowReaderWarningS, endAfterS: config.slowReaderTimeoutS },
    pingS: LIMITS.pingS,
  };
}

/** The bounds that hold for a client, as `ready` names them. */
export function toldLimits(limits: StreamLimits, owner: string): ToldLimits {
  return {
    message_bytes: limits.messageBytes,
    chunk_s: limits.chunkS,
    streams: limits.maxStreams,
    key_streams: Math.min(limits.maxStreams, limits.maxStreamsOf(owner)),
    idle_s: limits.idleS,
    session_s: limits.sessionS,
    resume_s: limits.resumeS,
    kept_sessions: limits.keptSessions,
    backlog_s: limits.backlogS,
    backlog_warning_s: limits.backlogWarnS,
    output_bytes: limits.outputBytes,
    slow_reader_warning_s: limits.slowReader.warnAfterS,
    slow_reader_s: limits.slowReader.endAfterS,
  };
}
