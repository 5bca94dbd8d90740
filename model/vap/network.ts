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
