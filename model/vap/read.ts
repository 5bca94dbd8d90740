/** Reads a MaAI checkpoint of voice activity projection on CPC features. */
import { refuse } from "../checkpoints/refuse.ts";
import { StateDict } from "../checkpoints/state_dict.ts";
import { TorchFile } from "../checkpoints/torch_file.ts";
import type { Tensor } from "../safetensors.ts";
import { refuseOthers } from "./others.ts";
import {
  BINS,
  channelLayer,
  DOWNSAMPLE,
  FRAMES_PER_SECOND,
  jointLayer,
  type VapNetwork,
  type VapSizes,
} from "./network.ts";

/** Parts of a file that have no part in the answers. */
const UNUSED = ["objective.", "lid_classifier.", "lid_classifier_middle.", "lang_condition."];
/** Where the training model keeps its copy of the CPC network. */
const CPC_COPY = "encoder.encoder.";

/** A network, and what else its file holds. */
export interface ReadVap {
  readonly network: VapNetwork;
  /** The file's copy of the CPC network, under that network's own names. */
  readonly cpcCopy: StateDict;
  /** Parts that were not read. */
  readonly skipped: readonly string[];
}

/**
 * Reads a network without running anything in its file. Sizes follow from the tensors; the number
 * of heads, which no matrix tells, from the slopes.
 *
 * @param bytes the whole file
 * @throws {CpcError} `checkpoint_invalid`, naming what the file is instead, or the tensor at fault
 */
export function readVap(bytes: Uint8Array): ReadVap {
  const file = TorchFile.open(bytes);
  if (!(file.root instanceof Map)) refuse("it does not hold a dict, as a state_dict would");
  const member = (key: string) => {
    const value = file.root instanceof Map ? file.root.get(key) : undefined;
    return value instanceof Map ? value : undefined;
  };
  const wrapped = member("state_dict");
  const entries = wrapped
    ? new Map([...member("encoder_state_dict") ?? [], ...wrapped])
    : file.root;
  const state = new StateDict(file, entries);
  refuseOthers(state);
  const sizes = sizesOf(state);
  const network = { sizes, tensors: takeTensors(state, sizes) };
  state.refuseUntaken(
    state.untaken.filter((name) =>
      ![...UNUSED, CPC_COPY].some((prefix) => name.startsWith(prefix))
    ),
  );
  const copy = [...entries].flatMap(([name, value]): [string, typeof value][] =>
    typeof name === "string" && name.startsWith(CPC_COPY)
      ? [[name.slice(CPC_COPY.length), value]]
      : []
  );
  return {
    network,
    cpcCopy: new StateDict(file, new Map(copy)),
    skipped: [...new Set(state.untaken.map(prefixOf))],
  };
}

function prefixOf(name: string): string {
  return [CPC_COPY, ...UNUSED].find((prefix) => name.startsWith(prefix)) + "*";
}

function sizesOf(state: StateDict): VapSizes {
  const [features = 0, , every = 0] = state.shape(`${DOWNSAMPLE}.1.weight`);
  const [classes = 0, width = 0] = state.shape("vap_head.weight");
  if (classes !== 2 ** BINS && classes !== 2 ** (2 * BINS)) {
    refuse(
      `tensor vap_head.weight has ${classes} classes; vap has 256 for two channels, 16 for one`,
    );
  }
  const layersOf = (layer: (l: number) => string) => {
    let layers = 0;
    while (state.hasUnder(`${layer(layers)}.`)) layers++;
    return layers;
  };
  const slopes = state.shape(`${channelLayer(0)}.mha.m`);
  const [heads = 0] = slopes;
  if (slopes.length !== 1 || heads < 1 || width % heads !== 0) {
    refuse(
      `tensor ${
        channelLayer(0)
      }.mha.m of shape [${slopes}] must have one slope for each head, and the width ${width} must be a multiple of their number`,
    );
  }
  if (every < 1 || every > FRAMES_PER_SECOND) {
    refuse(
      `tensor ${DOWNSAMPLE}.1.weight has kernel ${every}; a row is made of 1 to ${FRAMES_PER_SECOND} frames`,
    );
  }
  return {
    channels: classes === 2 ** BINS ? 1 : 2,
    features,
    width,
    heads,
    every,
    channelLayers: layersOf(channelLayer),
    jointLayers: layersOf(jointLayer),
  };
}

function takeTensors(state: StateDict, sizes: VapSizes): Map<string, Tensor> {
  const { channels, features: C, width: D, heads, every } = sizes;
  const tensors = new Map<string, Tensor>();
  const take = (name: string, shape: readonly number[]) =>
    tensors.set(name, state.take(name, shape));
  const takeNorm = (name: string, width: number) => {
    take(`${name}.weight`, [width]);
    take(`${name}.bias`, [width]);
  };
  const takeLinear = (name: string, [outputs, inputs]: readonly [number, number]) => {
    take(`${name}.weight`, [outputs, inputs]);
    take(`${name}.bias`, [outputs]);
  };
  const takeAttention = (at: string) => {
    for (const part of ["query", "key", "value", "proj"]) take(`${at}.${part}.weight`, [D, D]);
    take(`${at}.m`, [heads]);
  };
  const takeLayer = (at: string, cross: boolean) => {
    takeNorm(`${at}.ln_self_attn`, D);
    takeAttention(`${at}.mha`);
    if (cross) {
      takeNorm(`${at}.ln_src_attn`, D);
      takeAttention(`${at}.mha_cross`);
    }
    takeNorm(`${at}.ln_ffnetwork`, D);
    const [inner = 0] = state.shape(`${at}.ffnetwork.0.weight`);
    take(`${at}.ffnetwork.0.weight`, [inner, D]);
    take(`${at}.ffnetwork.3.weight`, [D, inner]);
  };

  take(`${DOWNSAMPLE}.1.weight`, [C, C, every]);
  take(`${DOWNSAMPLE}.1.bias`, [C]);
  takeNorm(`${DOWNSAMPLE}.2.ln`, C);
  if (C !== D) takeLinear("decrease_dimension", [D, C]);
  for (let l = 0; l < sizes.channelLayers; l++) takeLayer(channelLayer(l), false);
  for (let l = 0; l < Math.max(1, sizes.jointLayers); l++) {
    takeLayer(jointLayer(l), channels === 2);
  }
  if (channels === 2) {
    take("ar.combinator.h0_a.weight", [D, D]);
    take("ar.combinator.h0_b.weight", [D, D]);
    takeNorm("ar.combinator.ln", D);
  }
  takeLinear("va_classifier", [1, D]);
  takeLinear("vap_head", [2 ** (BINS * channels), D]);
  return tensors;
}
