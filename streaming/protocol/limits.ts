/**
 * The bounds of streams: what the hub enforces, made from the settings, and how `ready` tells it.
 */
import { LIMITS } from "../../config/limits.ts";
import type { ServerConfig } from "../../config/server.ts";
import type { ToldLimits } from "./messages.ts";

/** Settings that bound streams, by their names in the configuration. */
type StreamSetting =
  | "maxStreams"
  | "maxMessageBytes"
  | "maxChunkSeconds"
  | "idleTimeoutS"
  | "sessionLimitS"
  | "resumeWindowS"
  | "maxKeptSessions"
  | "backlogLimitS"
  | "backlogWarningS"
  | "maxOutputBytes"
  | "slowReaderWarningS"
  | "slowReaderTimeoutS";

/** Bounds of streams. */
export interface StreamLimits extends Pick<ServerConfig, StreamSetting> {
  /** Most streams of one key; Infinity for no bound. */
  maxStreamsOf(owner: string): number;
  /** Between two pings. */
  readonly pingS: number;
}

/** What the hub enforces; `maxStreamsOf` tells the quota of a key's owner. */
export function streamLimits(
  config: ServerConfig,
  maxStreamsOf: (owner: string) => number,
): StreamLimits {
  return { ...config, maxStreamsOf, pingS: LIMITS.pingS };
}

/** The bounds that hold for a client, as `ready` names them. */
export function toldLimits(limits: StreamLimits, owner: string): ToldLimits {
  return {
    message_bytes: limits.maxMessageBytes,
    chunk_s: limits.maxChunkSeconds,
    streams: limits.maxStreams,
    key_streams: Math.min(limits.maxStreams, limits.maxStreamsOf(owner)),
    idle_s: limits.idleTimeoutS,
    session_s: limits.sessionLimitS,
    resume_s: limits.resumeWindowS,
    kept_sessions: limits.maxKeptSessions,
    backlog_s: limits.backlogLimitS,
    backlog_warning_s: limits.backlogWarningS,
    output_bytes: limits.maxOutputBytes,
    slow_reader_warning_s: limits.slowReaderWarningS,
    slow_reader_s: limits.slowReaderTimeoutS,
  };
}
