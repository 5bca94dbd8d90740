/** A model from the files of a weights folder on a server. */
import { z } from "zod";
import { MODEL_SAMPLE_RATE, streamingPlan } from "../model/architecture.ts";
import { CpcError } from "../errors.ts";
import { checkGraph } from "../model/heads/check.ts";
import { SPEAKER_HEAD, speakerHead } from "../model/heads/speaker.ts";
import { type HeadFile, parseHeadSpec } from "../model/heads/spec.ts";
import { readSafetensors } from "../model/safetensors.ts";
import { checkTensors, modelDims, parseConfig, type Weights } from "../model/weights.ts";
import { fetchKept } from "./kept_files.ts";

/** What a server lists of a folder. */
const indexSchema = z.object({
  heads: z.array(z.string()),
  speaker_threshold: z.number().optional(),
});

/** A model, and which version of its weights it is. */
export interface LocalModel {
  readonly weights: Weights;
  /** The SHA-256 of `model.safetensors`; its server's tag where the browser computes none. */
  readonly version: string;
}

/**
 * Fetches a model with its heads; a folder without an `index.json` has none but the built-in one.
 *
 * @param url of the folder, which ends with `/`
 * @throws {CpcError} the server's code; `weights_invalid`, naming what is wrong
 */
export async function fetchModel(
  url: string,
  { key }: { key?: string } = {},
): Promise<LocalModel> {
  const [id = ""] = new URL(url).pathname.split("/").slice(-2);
  const textOf = ({ bytes }: { bytes: Uint8Array }) => new TextDecoder().decode(bytes);
  const get = async (path: string) => {
    const file = await fetchKept(url + path, { key });
    return file!; // it is not optional
  };
  const config = parseConfig(textOf(await get("config.json")), `${url}config.json`);
  const { bytes, tag } = await get("model.safetensors");
  const tensors = readSafetensors(bytes, `${url}model.safetensors`);
  checkTensors(config, tensors, `${url}model.safetensors`);
  const listed = await fetchKept(`${url}index.json`, { key, optional: true });
  const index = listed ? parseIndex(textOf(listed), `${url}index.json`) : { heads: [] };
  const dims = modelDims(config);
  const heads = await Promise.all(index.heads.map(async (name): Promise<HeadFile> => {
    const folder = `${url}heads/${name}/`;
    const [json, { bytes: graph }] = await Promise.all([
      get(`heads/${name}/head.json`),
      get(`heads/${name}/head.onnx`),
    ]);
    const spec = parseHeadSpec(textOf(json), `${folder}head.json`);
    checkGraph(graph, { spec, dims, file: `${folder}head.onnx` });
    return { name, spec, graph, folder };
  }));
  if (heads.every(({ name }) => name !== SPEAKER_HEAD)) {
    heads.push(speakerHead({
      context: dims.context,
      frameRate: MODEL_SAMPLE_RATE / streamingPlan(config).hopSamples,
      threshold: index.speaker_threshold,
    }));
  }
  heads.sort((a, b) => a.name < b.name ? -1 : 1); // as a server lists them
  return { weights: { id, config, tensors, heads }, version: await sha256Of(bytes) ?? tag };
}

/** Undefined on pages that are neither https nor localhost. */
async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  const { subtle }: { subtle?: SubtleCrypto } = crypto;
  if (!subtle) return undefined;
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parseIndex(text: string, file: string): z.infer<typeof indexSchema> {
  try {
    return indexSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CpcError("weights_invalid", `${file} does not list heads`, { cause });
  }
}
