/** A listening server with the whole application and the shipped model, for tests in a browser. */
import { loadModels } from "../../model/heads/load.ts";
import type { Weights } from "../../model/weights.ts";
import { listen, type RunningServer } from "../../routes/server.ts";
import { withServer } from "../support/server.ts";

const SHIPPED = new URL("../../weights/cpc-base", import.meta.url).pathname;

/**
 * Runs a test against a server.
 *
 * @param options `flags` of `start`; `models`: cpc-base with its heads
 */
export async function withPages(
  { flags = [], models }: { flags?: string[]; models?: readonly Weights[] },
  use: (server: RunningServer) => Promise<void>,
): Promise<void> {
  models ??= await loadModels([SHIPPED]);
  await withServer(async ({ app, ctx }) => {
    const server = await listen((request, env) => app.fetch(request, env as object), {
      host: "127.0.0.1",
      port: 0,
      maxMessageBytes: ctx.config.maxMessageBytes,
      allowOrigins: ctx.config.allowOrigins,
      knownHost: () => true,
      sockets: { open: 1000, closing: 48 },
      onDeaf: ({ error }) => {
        throw new Error("the server stopped accepting", { cause: error });
      },
    });
    try {
      await use(server);
    } finally {
      await server.close(0);
    }
  }, { flags, models });
}
