/** The supervisor's thread. */
import { readSettings } from "../config/read.ts";
import { SERVER_SETTINGS } from "../config/settings.ts";
import { UsageError } from "../errors.ts";
import { supervise } from "./supervise.ts";
import type { Supervised } from "./supervise_apart.ts";

declare const self: {
  onmessage: ((event: MessageEvent<readonly string[]>) => void) | null;
  postMessage(answer: Supervised): void;
};

self.onmessage = async ({ data: args }) => {
  try {
    const given = readSettings(SERVER_SETTINGS, {
      args,
      environment: (name) => Deno.env.get(name),
    });
    if (!given) throw new TypeError("--help is answered elsewhere");
    self.postMessage({ status: await supervise(given.values, args) });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    self.postMessage({ wrong: error.message });
  }
};
