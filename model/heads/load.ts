/** Reads heads from their folders, and checks them against their model. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { CpcError } from "../../errors.ts";
import { MODEL_SAMPLE_RATE, streamingPlan } from "../architecture.ts";
import { readSpeaker, SPEAKER_FILE } from "../speaker.ts";
import { loadWeights, modelDims, type Weights } from "../weights.ts";
import { checkGraph } from "./check.ts";
import { SPEAKER_HEAD, speakerHead } from "./speaker.ts";
import { type HeadFile, headNameSchema, type HeadSpec, parseHeadSpec } from "./spec.ts";

/** A head that is given by name. */
export interface GivenHead {
  readonly name: string;
  readonly folder: string;
  /** Whatever features it was trained on. */
  readonly anyFeatures: boolean;
}

/**
 * A weights folder with the heads in its `heads/`, those that are given, and the built-in one; a
 * given one takes the place of one with its name. Its calibration comes along.
 *
 * @throws {CpcError} `weights_invalid`, naming the head and what is wrong with it
 */
export async function withHeads(
  weights: Weights,
  { folder, given = [] }: { folder: string; given?: readonly GivenHead[] },
): Promise<Weights> {
  const own = (await headFolders(join(folder, "heads"))).filter(({ name }) =>
    given.every((one) => one.name !== name)
  );
  const heads: HeadFile[] = [];
  let sha256: string | undefined;
  for (const head of [...own, ...given]) {
    const file = await readHead(head, weights);
    if (!head.anyFeatures) {
      sha256 ??= await featuresOf(folder);
      checkFeatures(file, { sha256, model: weights.id });
    }
    heads.push(file);
  }
  const speaker = await readSpeaker(folder);
  if (speaker && speaker.features !== (sha256 ?? await featuresOf(folder))) {
    const why = "was calibrated on other features than the model has: run deno task speaker again";
    throw new CpcError("weights_invalid", `${join(folder, SPEAKER_FILE)} ${why}`);
  }
  if (heads.every(({ name }) => name !== SPEAKER_HEAD)) {
    heads.push(speakerHead({
      context: modelDims(weights.config).context,
      frameRate: MODEL_SAMPLE_RATE / streamingPlan(weights.config).hopSamples,
      threshold: speaker?.threshold,
    }));
  }
  return {
    ...weights,
    heads: heads.toSorted((a, b) => a.name < b.name ? -1 : 1),
    ...(speaker && { speaker }),
  };
}

/**
 * Reads weights folders with their heads. A given head goes to the models of whose features it is;
 * one of other features to the first, which refuses it unless any will do.
 *
 * @throws {CpcError} `weights_invalid`, naming what is wrong
 */
export async function loadModels(
  folders: readonly string[],
  given: readonly GivenHead[] = [],
): Promise<Weights[]> {
  const models = await Promise.all(folders.map(loadWeights));
  const twice = given.find(({ name }, i) => given.findIndex((one) => one.name === name) !== i);
  if (twice) {
    throw new CpcError("weights_invalid", `--head names two heads ${twice.name}`);
  }
  const owners = await Promise.all(given.map((head) => ownersOf(head, folders)));
  return await Promise.all(models.map((weights, m) =>
    withHeads(weights, {
      folder: folders[m]!,
      given: given.filter((_, i) => owners[i]!.includes(m)),
    })
  ));
}

/** The models that a given head is for, by their places. */
async function ownersOf(head: GivenHead, folders: readonly string[]): Promise<number[]> {
  if (folders.length === 1) return [0];
  const { features } = await readSpec(head);
  const owners: number[] = [];
  for (const [m, folder] of folders.entries()) {
    if (await featuresOf(folder) === features) owners.push(m);
  }
  return owners.length > 0 ? owners : [0];
}

/** The sha256 of a folder's features. */
async function featuresOf(folder: string): Promise<string> {
  return sha256Of(await Deno.readFile(join(folder, "model.safetensors")));
}

/** Folders of heads below a folder, which need not be there. */
async function headFolders(folder: string): Promise<GivenHead[]> {
  try {
    const found = await Array.fromAsync(Deno.readDir(folder));
    return found.filter(({ isFile }) => !isFile).map(({ name }) => ({
      name,
      folder: join(folder, name),
      anyFeatures: false,
    }));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function readHead({ name, folder }: GivenHead, weights: Weights): Promise<HeadFile> {
  if (!headNameSchema.safeParse(name).success) {
    throw new CpcError(
      "weights_invalid",
      `the head in ${folder} has the name ${
        JSON.stringify(name)
      }: names are letters, digits, _ and -`,
    );
  }
  const spec = await readSpec({ name, folder });
  const file = join(folder, "head.onnx");
  const graph = await readPart(file, name);
  checkGraph(graph, { spec, dims: modelDims(weights.config), file });
  return { name, spec, graph: shared(graph), folder };
}

async function readSpec({ name, folder }: Pick<GivenHead, "name" | "folder">): Promise<HeadSpec> {
  const json = join(folder, "head.json");
  return parseHeadSpec(new TextDecoder().decode(await readPart(json, name)), json);
}

async function readPart(path: string, head: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "it is not there" : String(error);
    throw new CpcError("weights_invalid", `the head ${head}: cannot read ${path}: ${why}`);
  }
}

/** In memory that all workers share. */
function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

function checkFeatures(
  { name, spec: { features }, folder }: HeadFile,
  { sha256, model }: { sha256: string; model: string },
): void {
  if (features === sha256) return;
  throw new CpcError(
    "weights_invalid",
    `the head ${name} was trained on other features (sha256 ${features.slice(0, 12)}…) than ` +
      `${model} has (${sha256.slice(0, 12)}…); to use it all the same, say ` +
      `--head ${name}=${folder}?any-features`,
  );
}

/** As `head.json` states it in `features`. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
