/** The server's configuration for a test, as a command line gives it. */
import { readSettings } from "../../config/read.ts";
import { type ServerConfig, serverConfig, type ServerSettings } from "../../config/server.ts";
import { SERVER_SETTINGS } from "../../config/settings.ts";

/** @throws {UsageError} as `deno task start` would print it */
export function serverConfigOf(
  args: readonly string[],
  environment: Record<string, string> = {},
): ServerConfig {
  return serverConfig(settingsOf(args, environment));
}

/** The same, before files are read and settings checked against each other. */
export function settingsOf(
  args: readonly string[],
  environment: Record<string, string> = {},
): ServerSettings {
  const given = readSettings(SERVER_SETTINGS, { args, environment: (name) => environment[name] });
  if (!given) throw new TypeError("help has no configuration");
  return given.values;
}
