/** Reads a MaAI checkpoint of voice activity projection on CPC features. */
import { refuse } from "../checkpoints/refuse.ts";
import { StateDict } from "../checkpoints/state_dict.ts";
import { TorchFile } from "../checkpoints/torch_file.ts";
import { refuseOthers } from "./others.ts";
import {
  BINS,
  channelLayer,
  DOWNSAMPLE,
  FRAMES_PER_SECOND,
  jointLayer,
  type VapNetwork,
  type VapSizes,
  vapTensors,
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
  const tensors = new Map(
    Array.from(vapTensors(sizes), ([name, shape]) => [name, state.take(name, shape)]),
  );
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
    network: { sizes, tensors },
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
  const [inner = 0] = state.shape(`${channelLayer(0)}.ffnetwork.0.weight`);
  const layersOf = (layer: (l: number) => string) => {
    let layers = 0;
    while (state.hasUnder(`${layer(layers)}.`)) layers++;
    return layers;
  };
  const slopes = state.shape(`${channelLayer(0)}.mha.m`);
  const [heads = 0] = slopes;
  if (slopes.length !== 1 || heads < 1 || width % heads !== 0) {
    refuse(
      `tensor ${channelLayer(0)}.mha.m of shape [${slopes}] must have one slope for each head, ` +
        `and the width ${width} must be a multiple of their number`,
    );
  }
  if (every < 1 || every > FRAMES_PER_SECOND) {
    refuse(
      `tensor ${DOWNSAMPLE}.1.weight has kernel ${every}; a row is made of 1 to ` +
        `${FRAMES_PER_SECOND} frames`,
    );
  }
  return {
    channels: classes === 2 ** BINS ? 1 : 2,
    features,
    width,
    heads,
    inner,
    every,
    channelLayers: layersOf(channelLayer),
    jointLayers: Math.max(1, layersOf(jointLayer)),
  };
}
