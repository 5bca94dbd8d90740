/**
 * The HTTP application: every route, and what they share. It does not listen; routes/server.ts
 * does.
 */
import { randomUUID } from "node:crypto";
import { OpenAPIHono } from "@hono/zod-openapi";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { LIMITS } from "../config/limits.ts";
import { optionError } from "../options.ts";
import { DecodeBudget } from "../recordings/decode_budget.ts";
import { Gate } from "../recordings/gate.ts";
import type { Hub } from "../streaming/hub.ts";
import { VERSION } from "../version.ts";
import { type AdminParts, mountAdmin } from "./admin/mount.ts";
import { mountAsyncapi } from "./asyncapi.ts";
import { originCheck } from "./auth.ts";
import { mountCompare } from "./compare.ts";
import type { ServerContext } from "./context.ts";
import { mountEmbeddings } from "./embeddings.ts";
import { mountHealth } from "./health.ts";
import type { Keys } from "./keys.ts";
import { counted, postedBy, readableBy, toKnownHosts, withKey } from "./middleware.ts";
import { mountModels } from "./models.ts";
import { mountOpenInference } from "./open_inference.ts";
import { mountOpenapi } from "./openapi.ts";
import type { FileWork } from "./recordings.ts";
import { answerErrors, refuseOthers } from "./refusals.ts";
import { idOfConnection, REQUEST_ID_CHARACTERS } from "./request_id.ts";
import { mountScore } from "./score.ts";
import { mountStream } from "./stream.ts";
import { mountTokens } from "./tokens.ts";
import { mountUsage } from "./usage.ts";
import { mountWeb } from "./web.ts";
import { mountWeights } from "./weights.ts";

/** Builds the application. */
export function createApp(
  ctx: ServerContext,
  { hub, keys, admin }: { hub: Hub; keys: Keys; admin: AdminParts },
): OpenAPIHono {
  const { config } = ctx;
  const allowedOrigin = originCheck(config.allowOrigins);
  const app = new OpenAPIHono({
    defaultHook(result, c) {
      if (!result.success) {
        throw optionError(result.error, { ...c.req.param(), ...c.req.query() });
      }
    },
  });
  app.use(requestId({
    limitLength: REQUEST_ID_CHARACTERS,
    generator: (c) => idOfConnection(c) ?? randomUUID(),
  }));
  app.use(secureHeaders({ strictTransportSecurity: config.tls !== undefined }));
  if (config.allowOrigins.length > 0) app.use(readableBy(config.allowOrigins));
  app.use(counted(ctx));
  app.use(toKnownHosts(config));
  app.use("/:version{v[12]}/*", postedBy(allowedOrigin));
  app.use(withKey(keys));
  refuseOthers(app);

  mountHealth(app, ctx);
  mountModels(app, ctx);
  const work = fileWork(ctx);
  mountEmbeddings(app, ctx, work);
  mountScore(app, ctx, work);
  mountCompare(app, ctx, work);
  mountOpenInference(app, ctx, { work, version: VERSION });
  mountTokens(app, keys);
  mountUsage(app, ctx.metrics.usage);
  mountAdmin(app, { keys, log: ctx.log }, admin);
  mountAsyncapi(app);
  mountWeb(app, { stallMs: config.slowReaderTimeoutS * 1000 });
  mountWeights(app, ctx);
  mountStream(app, { hub, allowedOrigin, ownerOf: (key) => keys.ownerOf(key) });
  mountOpenapi(app);
  answerErrors(app, ctx);
  return app;
}

/** This server's share of what all servers of the port do for recordings. */
function fileWork(
  { config: { processes }, requestMemory }: Pick<ServerContext, "config" | "requestMemory">,
): FileWork {
  const { requestAudioSeconds: seconds, requestSamples: samples } = LIMITS;
  const ownRequests = Math.max(1, 2 / processes);
  return {
    budget: requestMemory,
    gate: fairGate(LIMITS.fileStreams, { processes }),
    decoded: new DecodeBudget({
      request: { seconds, samples },
      owner: { seconds: ownRequests * seconds, samples: ownRequests * samples },
    }),
    decoding: fairGate(LIMITS.decodedFiles, { processes }),
    scoring: fairGate(LIMITS.scoringThreads, { processes }),
  };
}

/** A gate at which one owner leaves a quarter of the places to others. */
function fairGate(allPlaces: number, { processes }: { processes: number }): Gate {
  const places = Math.ceil(allPlaces / processes);
  const mostPerOwner = Math.max(1, Math.floor(places * 3 / 4));
  return new Gate({ places, mostPerOwner, maxWaiting: LIMITS.waitingFiles });
}
