/**
 * The bounds of streams: what the hub enforces, and how `ready` states it. Both come from the table
 * of settings.
 */
import { z } from "zod";
import { LIMITS } from "../../config/limits.ts";
import type { ServerConfig } from "../../config/server.ts";
import { SERVER_SETTINGS, TOLD_SETTINGS, type ToldSettings } from "../../config/settings.ts";

/** Settings that bound a stream whoever sends it. */
type StreamSetting = Exclude<ToldSettings[keyof ToldSettings], "maxStreamsPerKey">;

const STREAM_SETTINGS = TOLD_SETTINGS.map(([, name]) => name)
  .filter((name) => name !== "maxStreamsPerKey");

/** Bounds of streams. */
export interface StreamLimits extends Pick<ServerConfig, StreamSetting> {
  /** Most streams of one key; Infinity for no bound. */
  maxStreamsOf(owner: string): number;
  /** Time between two pings. */
  readonly pingS: number;
}

/** The `limits` of `ready`: bytes, seconds and counts. */
export type ToldLimits = { [Told in keyof ToldSettings]: number };

/** Schema of {@linkcode ToldLimits}. */
export const limitsSchema = z.object(
  told<z.ZodType<number>>((name) => SERVER_SETTINGS[name].unit === "s" ? z.number() : z.int()),
);

/** What the hub enforces; `maxStreamsOf` returns the quota of a key's owner. */
export function streamLimits(
  config: Pick<ServerConfig, StreamSetting>,
  maxStreamsOf: (owner: string) => number,
): StreamLimits {
  const bounds = STREAM_SETTINGS.map((name) => [name, config[name]]);
  return {
    ...Object.fromEntries(bounds) as Pick<ServerConfig, StreamSetting>,
    maxStreamsOf,
    pingS: LIMITS.pingS,
  };
}

/** The bounds that hold for a client, as `ready` names them. */
export function toldLimits(limits: StreamLimits, owner: string): ToldLimits {
  return told((name) =>
    name === "maxStreamsPerKey"
      ? Math.min(limits.maxStreams, limits.maxStreamsOf(owner))
      : limits[name]
  );
}

/** A value for each member of `ready.limits`, made from its setting's name. */
function told<T>(
  value: (name: ToldSettings[keyof ToldSettings]) => T,
): { [Told in keyof ToldSettings]: T } {
  return Object.fromEntries(TOLD_SETTINGS.map(([member, name]) => [member, value(name)])) as {
    [Told in keyof ToldSettings]: T;
  };
}
