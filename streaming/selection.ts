/** What a stream sends of each frame, and how: the options of a query with their defaults, and what `update` makes of them. */
import type { STREAM_ENCODINGS } from "../audio/pcm.ts";
import { CpcError } from "../errors.ts";
import type { Want } from "./messages.ts";
import { type Output, OUTPUTS, type StreamQuery } from "./protocol.ts";

/** What a stream sends and how; changed by `update`. */
export interface Selection {
  readonly output: readonly Output[];
  /** Ascending. */
  readonly steps: readonly number[];
  readonly every: number;
}

/** A stream's configuration in force. */
export interface StreamConfig extends Selection {
  readonly model: string;
  readonly encoding: typeof STREAM_ENCODINGS[number];
  /** The client's, in Hz. */
  readonly sample_rate: number;
  readonly channels: number;
  readonly channel?: number;
  readonly format: "json" | "binary";
  readonly dtype: "f32" | "f16";
}

/** Widths of a model, as `ready` tells them. */
export interface StreamDims {
  readonly context: number;
  readonly latent: number;
  /** K; 0 without predictors. */
  readonly steps: number;
}

/**
 * The configuration that a query asks for, defaults filled in.
 *
 * @throws {CpcError} `invalid_option` for what the model does not have or what contradicts itself
 */
export function streamConfig(query: StreamQuery, { model, dims }: { model: string; dims: StreamDims }): StreamConfig {
  const channels = query.channels ?? 1;
  if (query.channel !== undefined && query.channel >= channels) {
    throw new CpcError(
      "invalid_option",
      `option channel must be 0 to ${channels - 1} with channels=${channels}, got ${query.channel}`,
      {
        param: "channel",
      },
    );
  }
  const format = query.format ?? "json";
  if (query.dtype === "f16" && format !== "binary") {
    throw new CpcError("invalid_option", "option dtype=f16 needs format=binary", { param: "dtype" });
  }
  const allSteps = Array.from({ length: dims.steps }, (_, i) => i + 1);
  return {
    model,
    encoding: query.encoding ?? "s16le",
    sample_rate: query.sample_rate ?? 16_000,
    channels,
    ...(query.channel === undefined ? {} : { channel: query.channel }),
    ...selection(query, { output: ["context"], steps: allSteps, every: 1 }, dims),
    format,
    dtype: query.dtype ?? "f32",
  };
}

/**
 * A selection with some of its members replaced.
 *
 * @throws {CpcError} `invalid_option` for a step beyond K, or predictions and scores of a model without predictors
 */
export function selection(
  change: { output?: readonly Output[]; steps?: readonly number[]; every?: number },
  current: Selection,
  dims: StreamDims,
): Selection {
  const output = OUTPUTS.filter((name) => (change.output ?? current.output).includes(name));
  const steps = (change.steps ?? current.steps).toSorted((a, b) => a - b);
  if (dims.steps === 0 && (output.includes("prediction") || output.includes("score"))) {
    throw new CpcError("invalid_option", "this model has no predictors: output takes context and latent", { param: "output" });
  }
  const beyond = steps.find((k) => k > dims.steps);
  if (beyond !== undefined) {
    throw new CpcError("invalid_option", `option steps takes 1 to ${dims.steps} for this model, got ${beyond}`, {
      param: "steps",
    });
  }
  return { output, steps, every: change.every ?? current.every };
}

/** What a selection asks of the model workers. */
export function wantOf({ output, steps, every }: Selection): Want {
  return {
    context: output.includes("context"),
    latent: output.includes("latent"),
    prediction: output.includes("prediction") ? steps : [],
    score: output.includes("score") ? steps : [],
    every,
  };
}
