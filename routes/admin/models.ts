/** Loads and unloads models while the server runs. */
import { dirname, join } from "node:path";
import { CpcError } from "../../errors.ts";
import type { EnginePool } from "../../inference/pool.ts";
import { loadModels } from "../../model/heads/load.ts";
import type { Weights } from "../../model/weights.ts";
import type { Hub } from "../../streaming/hub.ts";

/** What loading a model needs of the server. */
export interface ModelParts {
  readonly pool: EnginePool;
  /** Only weights folders right in here can be loaded. */
  readonly modelsFolder: string;
  /**
   * Shares the memory out anew.
   *
   * @throws {CpcError} `overloaded` if it does not hold these models
   */
  readonly fitMemory: (models: readonly Weights[]) => void;
}

/** How soon to try again while a model is loaded. */
const RETRY_MS = 1000;
/** A folder's name, and no way out of the one that it is in. */
export const FOLDER_NAME = /^[\w-][\w.-]{0,63}$/;
/** What {@linkcode FOLDER_NAME} takes. */
export const TAKES_NAME = "takes a folder's name of 1 to 64 letters, digits, dots, dashes or _";

/**
 * Loads a weights folder, with the heads in it.
 *
 * @returns false if the model was there already
 * @throws {CpcError} `invalid_option`, `model_not_found`, `overloaded`, `loading` while another one
 *   is loaded, the engine's error
 */
export async function loadModel(
  name: string,
  { pool, modelsFolder, fitMemory }: ModelParts,
): Promise<boolean> {
  if (pool.models.has(name)) return false;
  const path = await folderOf(name, modelsFolder);
  const [weights] = await loadModels([path]).catch((error) => {
    if (!(error instanceof CpcError)) throw error;
    throw new CpcError("invalid_option", error.message, { param: "name" });
  }) as [Weights];
  if (pool.models.has(name)) return false; // another request has loaded it meanwhile
  const others = planned(pool);
  fitMemory([...others, weights]);
  try {
    await pool.add(weights);
    return true;
  } catch (error) {
    fitMemory(others);
    throw error;
  }
}

/**
 * Unloads a model.
 *
 * @param options `endStreams`: ends its live streams first; their sessions stay, for a resume at a
 *   server that has it
 * @returns how many streams were ended; null if this server lacks the model
 * @throws {CpcError} `model_in_use` for the default one, or one with streams; `loading` while
 *   another one is loaded
 */
export function unloadModel(
  name: string,
  { pool, hub, fitMemory, endStreams }: Omit<ModelParts, "modelsFolder"> & {
    hub: Hub;
    endStreams: boolean;
  },
): number | null {
  if (!pool.models.has(name)) return null;
  planned(pool); // before any stream is ended
  if (name === pool.defaultModel) pool.remove(name); // says why not
  const why = `this server no longer has the model ${name}; resume at another one`;
  const ended = endStreams
    ? hub.sessions.endStreamsOf(name, new CpcError("model_unloaded", why))
    : 0;
  pool.remove(name);
  fitMemory(planned(pool));
  return ended;
}

/**
 * The models for which the memory has been shared out.
 *
 * @throws {CpcError} `loading` while one is loaded: it has its share, and is not among them yet
 */
function planned(pool: EnginePool): Weights[] {
  if (pool.isAdding) {
    const why = "a model is being loaded; try again when it is there";
    throw new CpcError("loading", why, { retryAfterMs: RETRY_MS });
  }
  return [...pool.models.values()].map(({ weights }) => weights);
}

async function folderOf(name: string, folder: string): Promise<string> {
  if (!FOLDER_NAME.test(name)) { // whoever asks: it becomes a path here
    throw new CpcError("invalid_option", `name ${TAKES_NAME}`, { param: "name" });
  }
  try {
    const path = await Deno.realPath(join(folder, name)); // a link may lead anywhere
    if (dirname(path) === await Deno.realPath(folder)) return path;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const why = `no folder ${JSON.stringify(name)} beside the default model's, in ${folder}`;
  throw new CpcError("model_not_found", why, { param: "name" });
}
