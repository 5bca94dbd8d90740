/**
 * Voice activity projection (E. Ekstedt and G. Skantze, 2022, arXiv:2205.09812) as MaAI and
 * VAP-Realtime run it on CPC features (K. Inoue et al., 2024, arXiv:2401.04868): its sizes and its
 * tensors.
 *
 * Legend, here and beside: B dialogues, C width of the features, D width of the network, H heads,
 * K frames per row, N rows of the attention's window.
 */
import type { Tensor } from "../safetensors.ts";

/** Rows of features that CPC gives in a second. */
export const FRAMES_PER_SECOND = 100;
/** Bins of time into which the next two seconds of each speaker fall. */
export const BINS = 4;

/** What a network is made of. */
export interface VapSizes {
  /** 2: one speaker on each; 1: the single-channel network. */
  readonly channels: 1 | 2;
  /** C */
  readonly features: number;
  /** D */
  readonly width: number;
  /** H */
  readonly heads: number;
  /** Width between the two products of a feed-forward layer. */
  readonly inner: number;
  /** K: kernel and stride of the down-sampling convolution. */
  readonly every: number;
  /** Layers that hear one channel, with the same weights for each. */
  readonly channelLayers: number;
  /** Layers after them: with cross attention where there are two channels. */
  readonly jointLayers: number;
}

/** A network under its file's names. */
export interface VapNetwork {
  readonly sizes: VapSizes;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Rows that a network gives in a second. */
export function rowsPerSecond({ every }: Pick<VapSizes, "every">): number {
  return FRAMES_PER_SECOND / every;
}

/** Where a down-sampling convolution and its norm are, in a file. */
export const DOWNSAMPLE = "encoder.downsample";
/** Prefix of layer l of the stack that hears one channel. */
export const channelLayer = (l: number) => `ar_channel.layers.${l}`;
/** Prefix of layer l of the stack after it. */
export const jointLayer = (l: number) => `ar.layers.${l}`;

/** Every tensor that a network of these sizes has: its shape by its name. */
export function vapTensors(sizes: VapSizes): Map<string, readonly number[]> {
  const { channels, features: C, width: D, heads: H, inner, every: K } = sizes;
  const shapes = new Map<string, readonly number[]>();
  const linear = (name: string, outputs: number, inputs: number) =>
    shapes.set(`${name}.weight`, [outputs, inputs]).set(`${name}.bias`, [outputs]);
  const norm = (name: string, width: number) =>
    shapes.set(`${name}.weight`, [width]).set(`${name}.bias`, [width]);
  const attention = (at: string) => {
    for (const part of ["query", "key", "value", "proj"]) {
      shapes.set(`${at}.${part}.weight`, [D, D]);
    }
    shapes.set(`${at}.m`, [H]);
  };
  const layer = (at: string, { cross }: { cross: boolean }) => {
    norm(`${at}.ln_self_attn`, D);
    attention(`${at}.mha`);
    if (cross) {
      norm(`${at}.ln_src_attn`, D);
      attention(`${at}.mha_cross`);
    }
    norm(`${at}.ln_ffnetwork`, D);
    shapes.set(`${at}.ffnetwork.0.weight`, [inner, D]).set(`${at}.ffnetwork.3.weight`, [D, inner]);
  };
  shapes.set(`${DOWNSAMPLE}.1.weight`, [C, C, K]).set(`${DOWNSAMPLE}.1.bias`, [C]);
  norm(`${DOWNSAMPLE}.2.ln`, C);
  if (C !== D) linear("decrease_dimension", D, C);
  for (let l = 0; l < sizes.channelLayers; l++) layer(channelLayer(l), { cross: false });
  for (let l = 0; l < sizes.jointLayers; l++) layer(jointLayer(l), { cross: channels === 2 });
  if (channels === 2) {
    shapes.set("ar.combinator.h0_a.weight", [D, D]).set("ar.combinator.h0_b.weight", [D, D]);
    norm("ar.combinator.ln", D);
  }
  linear("va_classifier", 1, D);
  linear("vap_head", 2 ** (BINS * channels), D);
  return shapes;
}
