/**
 * The files of loaded models, for browsers that compute by themselves (docs/browser.md):
 * `/weights/MODEL/` looks like the weights folder, but for a list of its heads.
 */
import { basename, join, resolve } from "node:path";
import type { Context, Hono } from "hono";
import type { ServerConfig } from "../config/server.ts";
import { CpcError } from "../errors.ts";
import type { EnginePool } from "../inference/pool.ts";
import { SPEAKER_HEAD } from "../model/heads/speaker.ts";
import { answerFile } from "./answer_file.ts";

/** Which weights are given away, and where they lie. */
export type WeightsConfig = Pick<
  ServerConfig,
  "models" | "shareWeights" | "apiKeys" | "slowReaderTimeoutS"
>;

/**
 * Whether the files may be fetched: without keys, whoever reaches the server may use the model
 * anyway; with keys, using a model is not having it, so its owner must say so.
 */
function sharesWeights({ shareWeights, apiKeys }: WeightsConfig): boolean {
  return shareWeights === "yes" || shareWeights === "auto" && apiKeys.length === 0;
}

/** Where a model's files are, if they may be fetched; not of a model that was loaded later. */
export function weightsRoute(id: string, config: WeightsConfig): string | undefined {
  const isHere = config.models.some((folder) => basename(resolve(folder)) === id);
  return isHere && sharesWeights(config) ? `/weights/${id}/` : undefined;
}

/** Mounts `/weights/:model/…`. */
export function mountWeights(
  app: Pick<Hono, "get">,
  { config, pool }: { config: WeightsConfig; pool: Pick<EnginePool, "model"> },
): void {
  const folders = new Map(config.models.map((folder) => [basename(resolve(folder)), folder]));
  const reader = { stallMs: config.slowReaderTimeoutS * 1000, cacheControl: "private, no-cache" };
  /** A loaded model's heads, and its folder. */
  const find = (c: Context) => {
    if (!sharesWeights(config)) {
      throw new CpcError(
        "not_found",
        `this server keeps its weights to itself (--share-weights ${config.shareWeights})`,
      );
    }
    const { weights } = pool.model(c.req.param("model"));
    const folder = folders.get(weights.id);
    if (folder === undefined) throw new CpcError("not_found", `${weights.id} lies in no folder`);
    const heads = (weights.heads ?? []).filter(({ name, enrolled }) =>
      name !== SPEAKER_HEAD || !enrolled // the browser makes the built-in one itself
    );
    return { weights, folder, heads };
  };
  app.get("/weights/:model/index.json", (c) => {
    const { weights: { speaker }, heads } = find(c);
    return c.json({
      heads: heads.map(({ name }) => name),
      ...(speaker && { speaker_threshold: speaker.threshold }),
    });
  });
  app.get("/weights/:model/:file{config\\.json|model\\.safetensors}", async (c) => {
    const path = join(find(c).folder, c.req.param("file"));
    return await answerFile(c, path, reader);
  });
  app.get("/weights/:model/heads/:head/:file{head\\.json|head\\.onnx}", async (c) => {
    const { heads, weights } = find(c);
    const { head: name, file } = c.req.param();
    const head = heads.find((one) => one.name === name);
    if (!head) throw new CpcError("not_found", `the model ${weights.id} has no head ${name}`);
    return await answerFile(c, join(head.folder, file), reader);
  });
}
