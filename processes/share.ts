/** One server's part of what all of them have. */
import type { ServerConfig } from "../config/server.ts";
import type { Share } from "./messages.ts";

/** The configuration of one server: its share of the workers, the common port and store. */
export function shareOf(
  whole: ServerConfig,
  { process, processes, port, privateStore }: Omit<Share, "secret" | "commands">,
): ServerConfig {
  const workers = Math.floor(whole.workers / processes) +
    (process <= whole.workers % processes ? 1 : 0);
  return {
    ...whole,
    port,
    workers: Math.max(1, workers),
    store: privateStore === undefined
      ? whole.store
      : { kind: "folder", folder: privateStore, server: process, servers: processes },
  };
}
