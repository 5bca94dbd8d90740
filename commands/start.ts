/** The command line of `deno task start`. `main.ts` runs it. */
import { SERVER_SETTINGS } from "../config/settings.ts";
import type { Command } from "./cli.ts";

/** The command line of the server. */
export const START = {
  name: "start",
  about: "Serves CPC features of speech over WebSockets and REST.",
  usage: "[flags]",
  settings: SERVER_SETTINGS,
} satisfies Command;
