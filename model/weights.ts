/**
 * A weights folder (`config.json`, `model.safetensors`, `README.md`): read and checked as a whole,
 * or refused with the name of what is wrong.
 */
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { CpcError } from "../errors.ts";
import {
  type ContextConfig,
  convSpecs,
  type ModelConfig,
  modelConfigSchema,
} from "./architecture.ts";
import type { HeadFile } from "./heads/spec.ts";
import type { SpeakerFile } from "./speaker.ts";
import { elementCount, readSafetensors, type Tensor } from "./safetensors.ts";

/** A model, as its folder holds it. */
export interface Weights {
  /** The folder's name, which requests pass as `model`. */
  readonly id: string;
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The front matter of its model card. */
  readonly card?: ModelCard;
  /** Networks on its features, by name (`heads/load.ts`). */
  readonly heads?: readonly HeadFile[];
  /** Its threshold between speakers, if there is a calibration (`heads/load.ts`). */
  readonly speaker?: SpeakerFile;
}

const cardSchema = z.object({
  training: z.unknown().optional(),
  metrics: z.unknown().optional(),
  license: z.string().optional(),
});
/** Members of a model card's YAML front matter, passed on unchanged. */
export type ModelCard = z.infer<typeof cardSchema>;

/** What a configuration requires of a tensor. */
export interface ExpectedTensor {
  readonly shape: readonly number[];
  /** It may be missing (biases of convolutions and predictors). */
  readonly optional: boolean;
}

/** Widths that follow from a configuration. */
export interface Dims {
  /** Latent width Z. */
  readonly latent: number;
  /** Context width C: the hidden width of the context network. */
  readonly context: number;
  /** Prediction steps K; 0 without predictors. */
  readonly steps: number;
}

/** Latent width, context width and number of prediction steps of a model. */
export function modelDims(config: ModelConfig): Dims {
  return {
    latent: config.encoder[config.encoder.length - 1]!.channels,
    context: config.context.hidden,
    steps: config.predictors?.steps ?? 0,
  };
}

/**
 * Every tensor that a configuration requires, by name, in PyTorch's shapes (the table of
 * `docs/weights.md`).
 */
export function expectedTensors(config: ModelConfig): Map<string, ExpectedTensor> {
  const expected = new Map<string, ExpectedTensor>();
  const need = (name: string, shape: number[], optional = false) =>
    expected.set(name, { shape, optional });
  for (const conv of convSpecs(config)) {
    need(`${conv.prefix}.weight`, [conv.outChannels, conv.inChannels, conv.kernel]);
    need(`${conv.prefix}.bias`, [conv.outChannels], true);
    if (conv.norm === "none") continue;
    const parts = conv.norm === "batch"
      ? ["weight", "bias", "running_mean", "running_var"]
      : ["weight", "bias"];
    for (const part of parts) need(`${conv.normPrefix}.${part}`, [conv.outChannels]);
  }
  const { latent } = modelDims(config);
  needContext(need, { prefix: "", context: config.context, predictors: config.predictors, latent });
  if (config.reverse) needContext(need, { prefix: "reverse.", ...config.reverse, latent });
  return expected;
}

function needContext(
  need: (name: string, shape: number[], optional?: boolean) => void,
  { prefix, context, predictors, latent }: {
    prefix: string;
    context: ContextConfig;
    predictors: ModelConfig["predictors"];
    latent: number;
  },
) {
  const { hidden, layers } = context;
  const rows = (context.type === "gru" ? 3 : 4) * hidden;
  for (let n = 0; n < layers; n++) {
    need(`${prefix}context.weight_ih_l${n}`, [rows, n === 0 ? latent : hidden]);
    need(`${prefix}context.weight_hh_l${n}`, [rows, hidden]);
    need(`${prefix}context.bias_ih_l${n}`, [rows]);
    need(`${prefix}context.bias_hh_l${n}`, [rows]);
  }
  for (let k = 0; k < (predictors?.steps ?? 0); k++) {
    need(`${prefix}predictors.${k}.weight`, [latent, hidden]);
    need(`${prefix}predictors.${k}.bias`, [latent], true);
  }
}

/**
 * Checks a set of tensors against a configuration.
 *
 * @throws {CpcError} `weights_invalid`, naming the first tensor that is missing, misshapen or
 *   unknown, or a negative variance
 */
export function checkTensors(
  config: ModelConfig,
  tensors: ReadonlyMap<string, Tensor>,
  name = "the weights",
): void {
  const expected = expectedTensors(config);
  for (const [tensor, { shape, optional }] of expected) {
    const found = tensors.get(tensor);
    if (!found) {
      if (optional) continue;
      throw new CpcError(
        "weights_invalid",
        `${name}: tensor ${tensor} of shape [${shape}] is missing`,
      );
    }
    if (found.shape.length !== shape.length || found.shape.some((size, i) => size !== shape[i])) {
      throw new CpcError(
        "weights_invalid",
        `${name}: tensor ${tensor} must have shape [${shape}], it has [${found.shape}]`,
      );
    }
    if (found.data.length !== elementCount(shape)) {
      throw new CpcError(
        "weights_invalid",
        `${name}: tensor ${tensor} holds ${found.data.length} values, its shape ${
          elementCount(shape)
        }`,
      );
    }
    if (tensor.endsWith(".running_var") && found.data.some((x) => x < 0)) {
      throw new CpcError("weights_invalid", `${name}: tensor ${tensor} holds a negative variance`);
    }
  }
  for (const tensor of tensors.keys()) {
    if (!expected.has(tensor)) {
      throw new CpcError(
        "weights_invalid",
        `${name}: tensor ${tensor} is not part of this architecture`,
      );
    }
  }
}

/**
 * Parses a `config.json`.
 *
 * @throws {CpcError} `weights_invalid`, naming the member at fault
 */
export function parseConfig(text: string, name = "config.json"): ModelConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new CpcError("weights_invalid", `${name} is not JSON: ${(error as Error).message}`);
  }
  const config = modelConfigSchema.safeParse(json);
  if (config.success) return config.data;
  throw new CpcError(
    "weights_invalid",
    `${name} is not a model configuration: ${z.prettifyError(config.error).replaceAll("\n", " ")}`,
  );
}

/**
 * Reads and checks a weights folder.
 *
 * @throws {CpcError} `weights_invalid`, naming the file, member or tensor at fault
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { loadWeights, modelDims } from "./weights.ts";
 *
 * const weights = await loadWeights("weights/cpc-base");
 * assert.equal(weights.id, "cpc-base");
 * assert.deepEqual(modelDims(weights.config), { context: 256, latent: 512, steps: 12 });
 * ```
 */
export async function loadWeights(folder: string): Promise<Weights> {
  const config = parseConfig(
    new TextDecoder().decode(await readFile(folder, "config.json")),
    join(folder, "config.json"),
  );
  const file = join(folder, "model.safetensors");
  const tensors = readSafetensors(await readFile(folder, "model.safetensors"), file);
  checkTensors(config, tensors, file);
  return {
    id: basename(resolve(folder)),
    config,
    tensors,
    card: await readCard(join(folder, "README.md")),
  };
}

/** The front matter of a model card; undefined without card or front matter. */
async function readCard(file: string): Promise<ModelCard | undefined> {
  const text = await Deno.readTextFile(file).catch(() => "");
  const matter = /^---\n([\s\S]*?)\n---\n/.exec(text)?.[1];
  if (matter === undefined) return undefined;
  const card = cardSchema.safeParse(await parseYaml(matter, file));
  return card.success ? card.data : undefined;
}

async function parseYaml(text: string, file: string): Promise<unknown> {
  const { parse } = await import("yaml");
  try {
    return parse(text);
  } catch (error) {
    throw new CpcError(
      "weights_invalid",
      `the front matter of ${file} is not YAML: ${(error as Error).message}`,
    );
  }
}

async function readFile(folder: string, name: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(join(folder, name));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      throw new CpcError(
        "weights_invalid",
        `no ${name} in the weights folder ${folder}: name one with config.json and ` +
          "model.safetensors",
      );
    }
    throw new CpcError(
      "weights_invalid",
      `cannot read ${join(folder, name)}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** A tensor by name. @throws {CpcError} `weights_invalid` when it is missing */
export function tensorOf(weights: Pick<Weights, "tensors">, name: string): Tensor {
  const tensor = weights.tensors.get(name);
  if (!tensor) throw new CpcError("weights_invalid", `tensor ${name} is missing`);
  return tensor;
}

/** Number of trained values, without running statistics. */
export function parameterCount(weights: Pick<Weights, "tensors">): number {
  let count = 0;
  for (const [name, { shape }] of weights.tensors) {
    if (!name.includes(".running_")) count += elementCount(shape);
  }
  return count;
}
