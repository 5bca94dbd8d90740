/** Recordings → features: each streams through the pool, and its rows are kept or pooled. */
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import { embedAudio } from "./embed_audio.ts";
import { embedPieces, PIECE_FRAMES } from "./embed_pieces.ts";
import { type Door, TimedGate } from "./gate.ts";
import type { FrameBlock } from "../inference/messages.ts";
import type { PoolModel } from "../inference/models.ts";
import type { EnginePool } from "../inference/pool.ts";
import { allSteps, type Output, wantOf } from "../inference/want.ts";
import { rowSeconds, rowWidth } from "../model/heads/spec.ts";
import type { Embedded, Feature } from "./features.ts";
import type { MemoryShare } from "./memory_budget.ts";
import { forEachClip, type FramedClip } from "./clips.ts";
import { type EmbeddingOptions, FILE_OUTPUTS, type FileOutput } from "./embed_options.ts";
import { Pooled, Rows } from "./sinks.ts";

/** Options of {@linkcode embedClips}. */
export interface EmbedOptions extends Pick<EmbeddingOptions, "output" | "pool" | "steps"> {
  readonly model: PoolModel;
  /** Aborting it ends the streams. */
  readonly signal?: AbortSignal;
  /** Bounds the number of streams at once. */
  readonly gate?: Door;
  /** Accounts for the kept rows. */
  readonly memory?: MemoryShare;
  /** Rows up to this size are kept until all are computed (default {@linkcode LIMITS}). */
  readonly bufferedBytes?: number;
  /** Called for every few frames computed. */
  readonly onFrames?: (count: number) => void;
}

/**
 * Computes the features of recordings. Those that fit into memory are complete before it resolves,
 * so that a failure is an error answer. Larger ones are computed while they are read, one output
 * after the other.
 *
 * @throws {CpcError} `overloaded`; the model's error, with `param` `input[i]`
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
  const rowShapes: Record<FileOutput, readonly number[]> = {
    context: [dims.context],
    latent: [dims.latent],
    prediction: [steps.length, dims.latent],
  };
  const asked = FILE_OUTPUTS.filter((output) => options.output.includes(output)).map((output) => ({
    output,
    width: rowShapes[output].reduce((a, b) => a * b, 1),
  }));
  const heads = (model.weights.heads ?? []).filter(({ name }) =>
    options.output.includes(`head.${name}`)
  ).map(({ name, spec }) => ({
    name,
    spec,
    width: rowWidth(spec),
    rate: 1 / rowSeconds(spec, model.layout.plan),
    rowsOf: (clip: FramedClip) => Math.floor(clip.frames / spec.every),
  }));
  /** Of a clip that is split, a row is one for each channel. */
  const rowShapeOf = ({ streams }: FramedClip, output: FileOutput) =>
    streams > 1 ? [streams, ...rowShapes[output]] : rowShapes[output];
  const timedGate = new TimedGate(gate);
  async function* stream(clip: FramedClip, output: readonly Output[], signal?: AbortSignal) {
    const leave = await timedGate.enter(signal);
    const want = wantOf({ output, steps, every: 1 });
    try {
      const source = clip.read(signal);
      const how = { model: model.weights.id, want, signal };
      const inPieces = clip.streams === 1 && clip.frames > 2 * PIECE_FRAMES &&
        want.prediction.length === 0 && !want.heads && pool.streams < pool.size; // workers that would idle
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

  for (const [i, clip] of clips.entries()) {
    const wider = heads.find(({ spec }) => spec.channels > 1 && spec.channels !== clip.streams);
    if (!wider) continue;
    const why = `the head ${wider.name} hears ${wider.spec.channels} channels, with split=1; ` +
      `this recording has ${clip.channels}`;
    throw new CpcError("invalid_option", why, { param: `input[${i}]` });
  }
  const frames = clips.reduce((sum, clip) => sum + clip.streams * clip.frames, 0);
  const rows = clips.flatMap((clip) => heads.map(({ rowsOf, width }) => rowsOf(clip) * width));
  const bytes = 4 * rows.reduce(
    (sum, floats) => sum + floats,
    frames * asked.reduce((sum, { width }) => sum + width, 0),
  );
  if (options.pool === "none" && bytes > bufferedBytes) {
    const embedded = clips.map((clip) => ({
      seconds: clip.seconds,
      frames: clip.frames,
      features: asked.map(({ output, width }) => ({
        output,
        shape: [clip.frames, ...rowShapeOf(clip, output)],
        async *read() {
          for await (const block of stream(clip, [output], signal)) {
            yield outputRows(block, [width])[0]!;
          }
        },
      })),
      heads: heads.map(({ name, spec, rate, rowsOf }) => ({
        name,
        spec,
        rate,
        rows: rowsOf(clip),
        async *read() {
          for await (const block of stream(clip, [`head.${name}`], signal)) {
            for (const { data } of block.heads ?? []) yield data;
          }
        },
      })),
    }));
    return { embedded, queueMs: timedGate.longestWaitMs };
  }

  if (options.pool === "none") memory?.take(bytes);
  const outputs = [
    ...asked.map(({ output }) => output),
    ...heads.map(({ name }) => `head.${name}` as const),
  ];
  const embedded = await forEachClip(clips, signal, async (clip, signal): Promise<Embedded> => {
    const kept = asked.map(({ output, width }) => {
      const [rowShape, floats] = [rowShapeOf(clip, output), clip.streams * width];
      return options.pool === "none"
        ? { output, shape: [clip.frames, ...rowShape], sink: new Rows(clip.frames, floats) }
        : { output, shape: rowShape, sink: new Pooled(options.pool, floats) };
    });
    const keptRows = heads.map((head) => ({
      ...head,
      sink: new Rows(head.rowsOf(clip), head.width),
    }));
    const widths = asked.map(({ width }) => width);
    for await (const block of stream(clip, outputs, signal)) {
      for (const { head, data } of block.heads ?? []) {
        keptRows.find(({ name }) => name === head)?.sink.add(data);
      }
      for (const [i, rows] of outputRows(block, widths).entries()) kept[i]?.sink.add(rows);
    }
    const features = kept.map(({ output, shape, sink }): Feature => ({
      output,
      shape,
      async *read() {
        yield sink.result();
      },
    }));
    const rows = keptRows.map(({ name, spec, rate, rowsOf, sink }) => ({
      name,
      spec,
      rate,
      rows: rowsOf(clip),
      async *read() {
        yield sink.result();
      },
    }));
    return { seconds: clip.seconds, frames: clip.frames, features, heads: rows };
  });
  return { embedded, queueMs: timedGate.longestWaitMs };
}

/**
 * The rows of each output of a block, frame by frame; of several channels, a frame has one of each
 * after the other.
 *
 * @param widths floats of a row of each output
 * @returns `[count, channels, width]` each
 */
function outputRows(
  { channels, count, data }: FrameBlock,
  widths: readonly number[],
): Float32Array[] {
  let at = 0;
  if (channels === 1) return widths.map((width) => data.subarray(at, at += count * width));
  const perChannel = data.length / channels;
  return widths.map((width) => {
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
