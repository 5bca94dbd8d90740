/** Recordings as streams of the pool: what is asked of them, and their blocks of frames. */
import { CpcError } from "../errors.ts";
import type { FrameBlock } from "../inference/messages.ts";
import type { PoolModel } from "../inference/models.ts";
import type { EnginePool } from "../inference/pool.ts";
import { allSteps, type Output, wantOf } from "../inference/want.ts";
import { type HeadSpec, rowSeconds, rowWidth } from "../model/heads/spec.ts";
import type { FramedClip } from "./clips.ts";
import { embedAudio } from "./embed_audio.ts";
import { type EmbeddingOptions, FILE_OUTPUTS, type FileOutput } from "./embed_options.ts";
import { embedPieces, PIECE_FRAMES } from "./embed_pieces.ts";
import { type Door, TimedGate } from "./gate.ts";

/** An output that was asked for. */
export interface AskedOutput {
  readonly output: FileOutput;
  /** Shape of a row: `[C]`, `[Z]` or `[K, Z]`. */
  readonly rowShape: readonly number[];
  /** Floats of a row. */
  readonly width: number;
}

/** A head that was asked for. */
export interface AskedHead {
  readonly name: string;
  readonly spec: HeadSpec;
  /** Floats of a row. */
  readonly width: number;
  /** Rows a second. */
  readonly rate: number;
}

/** Options of {@linkcode ClipStreams}. */
export interface ClipStreamsOptions extends Pick<EmbeddingOptions, "output" | "steps"> {
  readonly model: PoolModel;
  /** Bounds the number of streams at once. */
  readonly gate?: Door;
  /** Called for every few frames computed. */
  readonly onFrames?: (count: number) => void;
}

/** Streams the recordings of one request through the pool. */
export class ClipStreams {
  /** In the order of {@linkcode FILE_OUTPUTS}. */
  readonly asked: readonly AskedOutput[];
  readonly heads: readonly AskedHead[];
  readonly #pool: EnginePool;
  readonly #options: ClipStreamsOptions;
  readonly #steps: number[];
  readonly #gate: TimedGate;

  constructor(pool: EnginePool, options: ClipStreamsOptions) {
    const { model: { weights, layout }, output: outputs } = options;
    const { dims } = layout;
    this.#pool = pool;
    this.#options = options;
    this.#gate = new TimedGate(options.gate);
    this.#steps = options.steps?.toSorted((a, b) => a - b) ?? allSteps(dims);
    const rowShapes: Record<FileOutput, readonly number[]> = {
      context: [dims.context],
      latent: [dims.latent],
      prediction: [this.#steps.length, dims.latent],
    };
    this.asked = FILE_OUTPUTS.filter((output) => outputs.includes(output)).map((output) => ({
      output,
      rowShape: rowShapes[output],
      width: rowShapes[output].reduce((a, b) => a * b, 1),
    }));
    this.heads = (weights.heads ?? []).filter(({ name }) => outputs.includes(`head.${name}`))
      .map(({ name, spec }) => ({
        name,
        spec,
        width: rowWidth(spec),
        rate: 1 / rowSeconds(spec, layout.plan),
      }));
  }

  /** All outputs and heads that were asked for. */
  get outputs(): Output[] {
    return [
      ...this.asked.map(({ output }) => output),
      ...this.heads.map(({ name }) => `head.${name}` as const),
    ];
  }

  /** The longest that one of its streams waited, in milliseconds. */
  get queueMs(): number {
    return this.#gate.longestWaitMs;
  }

  /**
   * Refuses recordings that a head cannot hear.
   *
   * @throws {CpcError} `invalid_option`, with `param` `input[i]`
   */
  check(clips: readonly FramedClip[]): void {
    for (const [i, clip] of clips.entries()) {
      const wider = this.heads.find(({ spec }) =>
        spec.channels > 1 && spec.channels !== clip.streams
      );
      if (!wider) continue;
      const why = `the head ${wider.name} hears ${wider.spec.channels} channels, with split=1; ` +
        `this recording has ${clip.channels}`;
      throw new CpcError("invalid_option", why, { param: `input[${i}]` });
    }
  }

  /**
   * Computes a recording's frames, in order, as fast as they are read.
   *
   * @throws {CpcError} `overloaded`; the model's error; the signal's reason
   */
  async *read(
    clip: FramedClip,
    output: readonly Output[],
    signal?: AbortSignal,
  ): AsyncGenerator<FrameBlock> {
    const pool = this.#pool;
    const { model: { weights }, onFrames } = this.#options;
    const leave = await this.#gate.enter(signal);
    const want = wantOf({ output, steps: this.#steps, every: 1 });
    try {
      const source = clip.read(signal);
      const how = { model: weights.id, want, signal };
      const wouldIdle = pool.streams < pool.size; // workers
      const inPieces = clip.streams === 1 && clip.frames > 2 * PIECE_FRAMES &&
        want.prediction.length === 0 && !want.heads && wouldIdle;
      const recurrence = inPieces ? pool.recurrence : undefined;
      const blocks = recurrence
        ? embedPieces(pool, source, { ...how, recurrence })
        : embedAudio(pool, source, { ...how, channels: clip.streams });
      for await (const block of blocks) {
        onFrames?.(block.count);
        yield block;
      }
    } finally {
      leave();
    }
  }
}

/** Shape of a frame's rows: of a clip that is split, one for each channel. */
export function frameShape(
  { streams }: Pick<FramedClip, "streams">,
  { rowShape }: Pick<AskedOutput, "rowShape">,
): readonly number[] {
  return streams > 1 ? [streams, ...rowShape] : rowShape;
}

/**
 * The rows of each output of a block, frame by frame; of several channels, a frame has one of each
 * after the other.
 *
 * @param asked the block's outputs
 * @returns `[count, channels, width]` each
 */
export function outputRows(
  { channels, count, data }: FrameBlock,
  asked: readonly Pick<AskedOutput, "width">[],
): Float32Array[] {
  let at = 0;
  if (channels === 1) return asked.map(({ width }) => data.subarray(at, at += count * width));
  const perChannel = data.length / channels;
  return asked.map(({ width }) => {
    const rows = new Float32Array(count * channels * width);
    for (let c = 0; c < channels; c++) {
      for (let t = 0; t < count; t++) {
        const from = c * perChannel + at + t * width;
        rows.set(data.subarray(from, from + width), (t * channels + c) * width);
      }
    }
    at += count * width;
    return rows;
  });
}
