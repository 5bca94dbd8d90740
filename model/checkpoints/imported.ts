/** What a checkpoint becomes. */
import type { ModelConfig } from "../architecture.ts";
import type { Tensor } from "../safetensors.ts";

/** A recognised architecture with its tensors, before the caller's options. */
export interface Recognised {
  /** The project and class: `CDCK2`, `CPC_audio`, `CPC_audio hub`, `bshall`, … */
  readonly kind: string;
  readonly config: Omit<ModelConfig, "sample_rate" | "input_scale">;
  readonly tensors: Map<string, Tensor>;
  /** The factor by which training multiplied 16 kHz samples in ±1. */
  readonly inputScale: { readonly value: number; readonly reason: string };
  /** What a user should know, such as missing predictions. */
  readonly notes: readonly string[];
  /** Parts of the file that were not read. */
  readonly skipped: readonly string[];
}

/** Unscaled input. */
export const UNSCALED = { value: 1, reason: "samples in ±1, as its training read them" } as const;
