/** Back to PyTorch: a model of this project under the names and shapes of the original modules. */
import { CpcError } from "../../errors.ts";
import type { Norm } from "../architecture.ts";
import type { Tensor } from "../safetensors.ts";
import { modelDims, tensorOf, type Weights } from "../weights.ts";
import { CDCK_NAMES } from "./cdck.ts";
import { CPC_AUDIO_CONTEXT, CPC_AUDIO_NAMES, CPC_AUDIO_PREDICTORS } from "./cpc_audio.ts";
import { CPC_CONVOLUTIONS, normShape } from "./parts.ts";

/** The state_dicts of a model. */
export interface PyTorchModel {
  /** The module that loads `model`: a CDCK class, or CPC_audio's CPCModel. */
  readonly kind: "CDCK2" | "CDCK5" | "CDCK6" | "CPC_audio";
  readonly model: Map<string, Tensor>;
  /** CPC_audio keeps its predictors in a module of their own (`cpcCriterion`). */
  readonly criterion?: Map<string, Tensor>;
}

/**
 * Gives a model the names that its original module loads (`load_state_dict`): a CDCK class where
 * all norms are BatchNorm, no convolution has a bias and the context is a GRU; else CPC_audio.
 * Biases that the original has and the model lacks are zeros.
 *
 * @throws {CpcError} `invalid_option` for a model that neither project's modules can hold
 */
export function toPyTorch(weights: Weights): PyTorchModel {
  const { config, tensors } = weights;
  const first = config.encoder[0]!;
  const standard = config.encoder.length === CPC_CONVOLUTIONS.length &&
    config.encoder.every((layer, i) => {
      const { kernel, stride, padding } = CPC_CONVOLUTIONS[i]!;
      return layer.kernel === kernel && layer.stride === stride && layer.padding === padding &&
        layer.residual_blocks === 0 &&
        layer.channels === first.channels && layer.norm === first.norm;
    });
  if (!standard) {
    return cannot(
      "its encoder is not the one of the original modules (kernels 10,8,4,4,4, strides " +
        "5,4,2,2,2, one width, one norm)",
    );
  }
  const { norm } = first;
  const convBias = config.encoder.some((_, i) => tensors.has(`encoder.${i}.conv.bias`));
  const gru = config.context.type === "gru" && (config.reverse?.context.type ?? "gru") === "gru";
  const single = config.context.layers === 1 && (config.reverse?.context.layers ?? 1) === 1;
  if (
    norm === "batch" && !convBias && gru && config.predictors &&
    (single || (!config.reverse && config.context.layers === 2))
  ) {
    return { kind: config.reverse ? "CDCK6" : single ? "CDCK2" : "CDCK5", model: toCdck(weights) };
  }
  if (config.reverse) {
    return cannot(
      "it has a reversed context network, which only CDCK6 has (batch norm, GRU, no " +
        "convolution bias)",
    );
  }
  if ([...tensors.keys()].some((name) => /^predictors\.\d+\.bias$/.test(name))) {
    return cannot(
      "its predictors have biases, which CPC_audio's have not, and the rest of it is no CDCK model",
    );
  }
  return { kind: "CPC_audio", ...toCpcAudio(weights) };
}

function cannot(why: string): never {
  throw new CpcError("invalid_option", `cannot convert to PyTorch: ${why}`, { param: "to" });
}

function toCdck(weights: Weights): Map<string, Tensor> {
  const model = new Map<string, Tensor>();
  putEncoder(weights, model, { ...CDCK_NAMES, kind: "batch", bias: false });
  const double = weights.config.reverse !== undefined;
  const halves = double ? [["", "1"], ["reverse.", "2"]] as const : [["", ""]] as const;
  for (const [prefix, suffix] of halves) {
    putContext(weights, model, { prefix, to: `gru${suffix}` });
    putPredictors(weights, model, { prefix, to: `Wk${suffix}`, bias: true });
  }
  return model;
}

function toCpcAudio(weights: Weights): Pick<PyTorchModel, "model" | "criterion"> {
  const model = new Map<string, Tensor>();
  putEncoder(weights, model, {
    ...CPC_AUDIO_NAMES,
    kind: weights.config.encoder[0]!.norm,
    bias: true,
  });
  putContext(weights, model, { prefix: "", to: CPC_AUDIO_CONTEXT });
  if (!weights.config.predictors) return { model };
  const criterion = new Map<string, Tensor>();
  putPredictors(weights, criterion, { prefix: "", to: CPC_AUDIO_PREDICTORS, bias: false });
  return { model, criterion };
}

function putEncoder(
  weights: Weights,
  to: Map<string, Tensor>,
  names: { conv: (i: number) => string; norm: (i: number) => string; kind: Norm; bias: boolean },
) {
  weights.config.encoder.forEach(({ channels }, i) => {
    const { shape, data } = tensorOf(weights, `encoder.${i}.conv.weight`);
    to.set(`${names.conv(i)}.weight`, { shape, data });
    if (names.bias) {
      to.set(`${names.conv(i)}.bias`, orZeros(weights, `encoder.${i}.conv.bias`, channels));
    }
    if (names.kind === "none") return;
    for (const part of ["weight", "bias"]) {
      const { data } = tensorOf(weights, `encoder.${i}.norm.${part}`);
      to.set(`${names.norm(i)}.${part}`, { shape: normShape(names.kind, channels), data });
    }
    if (names.kind !== "batch") return;
    for (const part of ["running_mean", "running_var"]) {
      to.set(`${names.norm(i)}.${part}`, tensorOf(weights, `encoder.${i}.norm.${part}`));
    }
  });
}

function putContext(
  weights: Weights,
  to: Map<string, Tensor>,
  names: { prefix: string; to: string },
) {
  const from = `${names.prefix}context.`;
  for (const [name, tensor] of weights.tensors) {
    if (name.startsWith(from)) to.set(`${names.to}.${name.slice(from.length)}`, tensor);
  }
}

function putPredictors(
  weights: Weights,
  to: Map<string, Tensor>,
  names: { prefix: string; to: string; bias: boolean },
) {
  const { prefix } = names;
  const steps = (prefix ? weights.config.reverse?.predictors : weights.config.predictors)?.steps ??
    0;
  for (let k = 0; k < steps; k++) {
    to.set(`${names.to}.${k}.weight`, tensorOf(weights, `${prefix}predictors.${k}.weight`));
    const { latent } = modelDims(weights.config);
    if (names.bias) {
      to.set(`${names.to}.${k}.bias`, orZeros(weights, `${prefix}predictors.${k}.bias`, latent));
    }
  }
}

function orZeros(weights: Weights, name: string, size: number): Tensor {
  return weights.tensors.get(name) ?? { shape: [size], data: new Float32Array(size) };
}
