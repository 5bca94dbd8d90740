/** Recordings → features: each is a stream through the pool, its rows kept or pooled. */
import { LIMITS } from "../config/limits.ts";
import { embedAudio } from "./embed_audio.ts";
import type { Gate } from "./gate.ts";
import type { PoolModel } from "../inference/models.ts";
import type { EnginePool } from "../inference/pool.ts";
import { allSteps, wantOf } from "../inference/want.ts";
import type { Embedded, Feature } from "./answers.ts";
import type { MemoryShare } from "./memory_budget.ts";
import { forEachClip, type FramedClip } from "./clips.ts";
import type { EmbeddingOptions, FileOutput } from "./options.ts";

/** What is asked of {@linkcode embedClips}. */
export interface EmbedOptions extends Pick<EmbeddingOptions, "output" | "pool" | "steps"> {
  readonly model: PoolModel;
  /** Aborting it ends the streams. */
  readonly signal?: AbortSignal;
  /** Bounds the streams that run at once. */
  readonly gate?: Gate;
  /** Where the rows that are kept are accounted for. */
  readonly memory?: MemoryShare;
  /** Rows up to this size are kept until all are there (default {@linkcode LIMITS}). */
  readonly bufferedBytes?: number;
  /** Told of every few frames that were computed. */
  readonly onFrames?: (count: number) => void;
}

/**
 * Computes the features of recordings: those that fit into memory side by side and before it
 * resolves, so that a failure is an error answer; larger ones while they are read, each output by
 * itself.
 *
 * @throws {CpcError} `overloaded`; what the model said, with `param` `input[i]`
 */
export async function embedClips(
  pool: EnginePool,
  clips: readonly FramedClip[],
  options: EmbedOptions,
): Promise<{ embedded: Embedded[]; queueMs: number }> {
  const { model, signal, gate, memory, bufferedBytes = LIMITS.bufferedAnswerBytes, onFrames } =
    options;
  const { dims } = model.layout;
  const steps = options.steps?.toSorted((a, b) => a - b) ?? allSteps(dims);
  const shapes: Record<FileOutput, number[]> = {
    context: [dims.context],
    latent: [dims.latent],
    prediction: [steps.length, dims.latent],
  };
  const width = (output: FileOutput) => shapes[output].reduce((a, b) => a * b, 1);
  const outputs = (["context", "latent", "prediction"] as const).filter((output) =>
    options.output.includes(output)
  );
  let queueMs = 0;
  async function* stream(clip: FramedClip, wanted: readonly FileOutput[], signal?: AbortSignal) {
    const startedMs = performance.now();
    const leave = await gate?.enter(signal);
    queueMs = Math.max(queueMs, performance.now() - startedMs);
    try {
      for await (
        const block of embedAudio(pool, clip.read(signal), {
          model: model.weights.id,
          want: wantOf({ output: wanted, steps, every: 1 }),
          signal,
        })
      ) {
        onFrames?.(block.count);
        yield block;
      }
    } finally {
      leave?.();
    }
  }

  const frames = clips.reduce((sum, clip) => sum + clip.frames, 0);
  const bytes = frames * outputs.reduce((sum, output) => sum + width(output), 0) * 4;
  if (options.pool === "none" && bytes > bufferedBytes) {
    const embedded = clips.map((clip) => ({
      seconds: clip.seconds,
      frames: clip.frames,
      features: outputs.map((output) => ({
        output,
        shape: [clip.frames, ...shapes[output]],
        async *read() {
          for await (const block of stream(clip, [output], signal)) yield block.data;
        },
      })),
    }));
    return { embedded, queueMs };
  }

  if (options.pool === "none") memory?.take(bytes);
  const embedded = await forEachClip(clips, signal, async (clip, signal): Promise<Embedded> => {
    const sinks = outputs.map((output) =>
      options.pool === "none"
        ? new Rows(clip.frames, width(output))
        : new Pooled(options.pool, width(output))
    );
    for await (const { count, data } of stream(clip, outputs, signal)) {
      let at = 0;
      outputs.forEach((output, i) => sinks[i].add(data.subarray(at, at += count * width(output))));
    }
    const features = outputs.map((output, i): Feature => ({
      output,
      shape: options.pool === "none" ? [clip.frames, ...shapes[output]] : shapes[output],
      async *read() {
        yield sinks[i].result();
      },
    }));
    return { seconds: clip.seconds, frames: clip.frames, features };
  });
  return { embedded, queueMs };
}

/** All rows. */
class Rows {
  readonly #data: Float32Array;
  #length = 0;
  constructor(rows: number, width: number) {
    this.#data = new Float32Array(rows * width);
  }
  add(rows: Float32Array): void {
    this.#data.set(rows, this.#length);
    this.#length += rows.length;
  }
  result(): Float32Array {
    return this.#data;
  }
}

/** All rows as one: their mean, maximum, or the last of them. */
class Pooled {
  readonly #values: Float64Array;
  readonly #kind: "mean" | "max" | "last";
  #rows = 0;
  constructor(kind: "mean" | "max" | "last", width: number) {
    this.#kind = kind;
    this.#values = new Float64Array(width).fill(kind === "max" ? -Infinity : 0);
  }
  add(rows: Float32Array): void {
    const values = this.#values;
    for (let at = 0; at < rows.length; at += values.length, this.#rows++) {
      for (let i = 0; i < values.length; i++) {
        const x = rows[at + i];
        if (this.#kind === "mean") values[i] += x;
        else if (this.#kind === "last" || x > values[i]) values[i] = x;
      }
    }
  }
  result(): Float32Array {
    return Float32Array.from(this.#values, (x) => this.#kind === "mean" ? x / this.#rows : x);
  }
}
