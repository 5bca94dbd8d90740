/**
 * The parts of every supported project's model, read from a state_dict into this project's names.
 */
import { type ContextConfig, type ModelConfig, type Norm } from "../architecture.ts";
import type { Tensor } from "../safetensors.ts";
import { refuse } from "./refuse.ts";
import type { StateDict } from "./state_dict.ts";

/**
 * The encoder of van den Oord et al. 2018 (arXiv:1807.03748, 3.1), which all supported projects
 * share: hop 160.
 */
export const CPC_CONVOLUTIONS = [
  { kernel: 10, stride: 5, padding: 3 },
  { kernel: 8, stride: 4, padding: 2 },
  { kernel: 4, stride: 2, padding: 1 },
  { kernel: 4, stride: 2, padding: 1 },
  { kernel: 4, stride: 2, padding: 1 },
] as const;

/** Tensors under this project's names. */
export type Tensors = Map<string, Tensor>;
/** One context network and its predictors, whose names have the prefix. */
export type ContextParts = { context: ContextConfig; predictors: ModelConfig["predictors"] };

/**
 * Shape of a norm's parameters in the original: CPC_audio's ChannelNorm keeps `[1, C, 1]`,
 * BatchNorm1d `[C]`.
 */
export function normShape(norm: Norm, channels: number): number[] {
  return norm === "channel" ? [1, channels, 1] : [channels];
}

/**
 * Reads the five convolutions and their norms.
 *
 * @param names where the original keeps layer i; `bias`: whether its convolutions have one
 */
export function takeEncoder(
  state: StateDict,
  tensors: Tensors,
  names: { conv: (i: number) => string; norm: (i: number) => string; kind: Norm; bias: boolean },
): ModelConfig["encoder"] {
  const channels = state.shape(`${names.conv(0)}.weight`)[0] ?? 0;
  return CPC_CONVOLUTIONS.map((convolution, i) => {
    const [conv, norm] = [names.conv(i), names.norm(i)];
    const inChannels = i === 0 ? 1 : channels;
    tensors.set(
      `encoder.${i}.conv.weight`,
      state.take(`${conv}.weight`, [channels, inChannels, convolution.kernel]),
    );
    if (names.bias) tensors.set(`encoder.${i}.conv.bias`, state.take(`${conv}.bias`, [channels]));
    if (names.kind !== "none") {
      for (const part of ["weight", "bias"]) {
        const { data } = state.take(`${norm}.${part}`, normShape(names.kind, channels));
        tensors.set(`encoder.${i}.norm.${part}`, { shape: [channels], data });
      }
    }
    if (names.kind === "batch") {
      for (const part of ["running_mean", "running_var"]) {
        tensors.set(`encoder.${i}.norm.${part}`, state.take(`${norm}.${part}`, [channels]));
      }
      if (tensors.get(`encoder.${i}.norm.running_var`)?.data.some((x) => x < 0)) {
        refuse(`tensor ${norm}.running_var holds a negative variance`);
      }
    }
    return { ...convolution, channels, norm: names.kind, residual_blocks: 0 };
  });
}

/**
 * The sizes of a recurrent network that the project prescribes; the rest follows from its tensors.
 */
export type ContextHints = Partial<Pick<ContextConfig, "type" | "hidden" | "layers">>;

/**
 * Reads a GRU or LSTM of any number of layers.
 *
 * @param options `from`: its name in the original; `to`: its prefix here; `latent`: width of its
 *   input
 */
export function takeContext(
  state: StateDict,
  tensors: Tensors,
  options: { from: string; to?: string; latent: number; hints?: ContextHints },
): ContextConfig {
  const { from, to = "", latent, hints = {} } = options;
  if (state.has(`${from}.weight_ih_l0_reverse`)) {
    refuse(
      `its context network ${from} is bidirectional: a frame would depend on all audio after ` +
        "it, which cannot be streamed",
    );
  }
  let found = 0;
  while (state.has(`${from}.weight_ih_l${found}`)) found++;
  const layers = hints.layers ?? Math.max(1, found);
  const [rows, width = 0] = state.shape(`${from}.weight_hh_l0`);
  const hidden = hints.hidden ?? width;
  const type = hints.type ?? (rows === 3 * width ? "gru" : rows === 4 * width ? "lstm" : undefined);
  if (!type) {
    return refuse(
      `tensor ${from}.weight_hh_l0 of shape [${rows},${width}] is neither a GRU's nor an ` +
        "LSTM's (a plain RNN is not supported)",
    );
  }
  const gates = (type === "gru" ? 3 : 4) * hidden;
  for (let n = 0; n < layers; n++) {
    const shapes = {
      weight_ih: [gates, n === 0 ? latent : hidden],
      weight_hh: [gates, hidden],
      bias_ih: [gates],
      bias_hh: [gates],
    };
    for (const [part, shape] of Object.entries(shapes)) {
      tensors.set(`${to}context.${part}_l${n}`, state.take(`${from}.${part}_l${n}`, shape));
    }
  }
  return { type, hidden, layers };
}

/**
 * Reads linear predictors `{from}.0`, `{from}.1`, …; null when there are none.
 *
 * @param options `bias`: whether the original's have one; `latent`, `hidden`: their output and
 *   input width
 */
export function takePredictors(
  state: StateDict,
  tensors: Tensors,
  options: { from: string; to?: string; latent: number; hidden: number; bias: boolean },
): ModelConfig["predictors"] {
  const { from, to = "", latent, hidden } = options;
  let steps = 0;
  for (; state.has(`${from}.${steps}.weight`); steps++) {
    tensors.set(
      `${to}predictors.${steps}.weight`,
      state.take(`${from}.${steps}.weight`, [latent, hidden]),
    );
    if (options.bias) {
      tensors.set(`${to}predictors.${steps}.bias`, state.take(`${from}.${steps}.bias`, [latent]));
    }
  }
  return steps === 0 ? null : { steps, type: "linear" };
}
