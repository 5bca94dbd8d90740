/** The CPC network that a voice activity projection hears: its file's first LSTM layer. */
import { streamingPlan } from "../architecture.ts";
import type { ImportedCheckpoint } from "../checkpoints/checkpoint.ts";
import { CPC_AUDIO_CONTEXT, CPC_AUDIO_NAMES } from "../checkpoints/cpc_audio.ts";
import { refuse } from "../checkpoints/refuse.ts";
import type { StateDict } from "../checkpoints/state_dict.ts";
import { modelDims } from "../weights.ts";
import type { VapSizes } from "./network.ts";

/**
 * The network as MaAI builds it, whatever its file says: one LSTM layer, without predictors.
 *
 * @param options `sizes`: of the network that hears it; `liveAlignment`: the audio comes one hop
 *   late, as in MaAI's live loop
 * @throws {CpcError} `checkpoint_invalid` for another kind of network, or other widths
 */
export function featuresOf(
  cpc: ImportedCheckpoint,
  { sizes, liveAlignment }: { sizes: VapSizes; liveAlignment: boolean },
): ImportedCheckpoint {
  const { latent, context: width } = modelDims(cpc.config);
  const { context, encoder } = cpc.config;
  if (context.type !== "lstm") {
    refuse(`its context network is a ${context.type.toUpperCase()}, not an LSTM`);
  }
  if (encoder.some(({ norm }) => norm !== "channel")) {
    refuse(`its encoder has ${encoder[0]?.norm} norm; MaAI's has channel norm`);
  }
  if (latent !== width || width !== sizes.features) {
    refuse(
      `its encoder is ${latent} wide and its LSTM ${width}; both must be ${sizes.features}, ` +
        "the width of the down-sampling convolution",
    );
  }
  const beyond = /^(context\.\w+_l[1-9]|predictors\.|reverse\.)/;
  const notes = context.layers === 1 ? [] : [
    `its LSTM has ${context.layers} layers: voice activity projection hears the first, the ` +
    "others were dropped",
  ];
  const config = {
    ...cpc.config,
    context: { type: context.type, hidden: context.hidden, layers: 1 },
    predictors: null,
    reverse: undefined,
  };
  const delay = liveAlignment ? { delay_samples: streamingPlan(config).hopSamples } : {};
  return {
    ...cpc,
    config: { ...config, ...delay },
    tensors: new Map([...cpc.tensors].filter(([name]) => !beyond.test(name))),
    notes: liveAlignment
      ? [
        ...notes,
        "the audio comes one hop late (live alignment): features, too, are those of the hop before",
      ]
      : notes,
  };
}

/**
 * Whether a training model's copy of the CPC network has other numbers than the network.
 *
 * @param copy under CPC_audio's names
 */
export function copyDiffers(copy: StateDict, { tensors, config }: ImportedCheckpoint): boolean {
  const names: (readonly [theirs: string, ours: string])[] = [
    ...config.encoder.flatMap((_, i) =>
      ["weight", "bias"].flatMap((part) => [
        [`${CPC_AUDIO_NAMES.conv(i)}.${part}`, `encoder.${i}.conv.${part}`] as const,
        [`${CPC_AUDIO_NAMES.norm(i)}.${part}`, `encoder.${i}.norm.${part}`] as const,
      ])
    ),
    ...["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"].map((part) =>
      [`${CPC_AUDIO_CONTEXT}.${part}`, `context.${part}`] as const
    ),
  ];
  return names.some(([theirs, ours]) => {
    if (!copy.has(theirs)) return false;
    const { data } = copy.take(theirs, copy.shape(theirs));
    const own = tensors.get(ours)?.data;
    return data.length !== own?.length || data.some((x, i) => x !== own[i]);
  });
}
