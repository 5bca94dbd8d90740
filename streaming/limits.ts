/** The bounds of streams, from the settings. */
import { LIMITS, type ServerConfig } from "../config.ts";
import type { StreamLimits } from "./hub.ts";

/** What the hub enforces; `maxStreamsOf` tells the quota of a key's owner. */
export function streamLimits(config: ServerConfig, maxStreamsOf: (owner: string) => number): StreamLimits {
  return {
    maxStreams: config.maxStreams,
    maxStreamsOf,
    messageBytes: config.maxMessageBytes,
    idleS: config.idleTimeoutS,
    sessionS: config.sessionLimitS,
    resumeS: config.resumeWindowS,
    backlogS: LIMITS.backlogS,
    backlogWarnS: LIMITS.backlogWarnS,
    slowReader: LIMITS.slowReader,
    keptSessions: LIMITS.keptSessions,
  };
}
