/** Recordings → features: each streams through the pool, and its rows are kept or pooled. */
import { LIMITS } from "../config/limits.ts";
import type { EnginePool } from "../inference/pool.ts";
import { ClipStreams, type ClipStreamsOptions, frameShape, outputRows } from "./clip_streams.ts";
import { forEachClip, type FramedClip } from "./clips.ts";
import type { EmbeddingOptions } from "./embed_options.ts";
import type { Embedded, Feature } from "./features.ts";
import type { MemoryShare } from "./memory_budget.ts";
import { Pooled, Rows } from "./sinks.ts";

/** Options of {@linkcode embedClips}. */
export interface EmbedOptions extends ClipStreamsOptions, Pick<EmbeddingOptions, "pool"> {
  /** Aborting it ends the streams. */
  readonly signal?: AbortSignal;
  /** Accounts for the kept rows. */
  readonly memory?: MemoryShare;
  /** Rows up to this size are kept until all are computed (default {@linkcode LIMITS}). */
  readonly bufferedBytes?: number;
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
  const { pool: pooling = "none", signal, memory } = options;
  const { bufferedBytes = LIMITS.bufferedAnswerBytes } = options;
  const streams = new ClipStreams(pool, options);
  const { asked, heads } = streams;
  const rowsOf = (clip: FramedClip, { every }: { every: number }) =>
    Math.floor(clip.frames / every);
  streams.check(clips);
  const frames = clips.reduce((sum, clip) => sum + clip.streams * clip.frames, 0);
  const rows = clips.flatMap((clip) => heads.map(({ spec, width }) => rowsOf(clip, spec) * width));
  const bytes = 4 * rows.reduce(
    (sum, floats) => sum + floats,
    frames * asked.reduce((sum, { width }) => sum + width, 0),
  );
  if (pooling === "none" && bytes > bufferedBytes) {
    const embedded = clips.map((clip) => ({
      seconds: clip.seconds,
      frames: clip.frames,
      features: asked.map((one) => ({
        output: one.output,
        shape: [clip.frames, ...frameShape(clip, one)],
        async *read() {
          for await (const block of streams.read(clip, [one.output], signal)) {
            yield outputRows(block, [one])[0]!;
          }
        },
      })),
      heads: heads.map(({ name, spec, rate }) => ({
        name,
        spec,
        rate,
        rows: rowsOf(clip, spec),
        async *read() {
          for await (const block of streams.read(clip, [`head.${name}`], signal)) {
            for (const { data } of block.heads ?? []) yield data;
          }
        },
      })),
    }));
    return { embedded, queueMs: streams.queueMs };
  }

  if (pooling === "none") memory?.take(bytes);
  const embedded = await forEachClip(clips, signal, async (clip, signal): Promise<Embedded> => {
    const kept = asked.map(({ output, rowShape: shape, width }) => {
      const [rowShape, floats] = [frameShape(clip, { rowShape: shape }), clip.streams * width];
      return pooling === "none"
        ? { output, shape: [clip.frames, ...rowShape], sink: new Rows(clip.frames, floats) }
        : { output, shape: rowShape, sink: new Pooled(pooling, floats) };
    });
    const keptRows = heads.map((head) => ({
      ...head,
      sink: new Rows(rowsOf(clip, head.spec), head.width),
    }));
    for await (const block of streams.read(clip, streams.outputs, signal)) {
      for (const { head, data } of block.heads ?? []) {
        keptRows.find(({ name }) => name === head)?.sink.add(data);
      }
      for (const [i, rows] of outputRows(block, asked).entries()) kept[i]?.sink.add(rows);
    }
    const features = kept.map(({ output, shape, sink }): Feature => ({
      output,
      shape,
      async *read() {
        yield sink.result();
      },
    }));
    const rows = keptRows.map(({ name, spec, rate, sink }) => ({
      name,
      spec,
      rate,
      rows: rowsOf(clip, spec),
      async *read() {
        yield sink.result();
      },
    }));
    return { seconds: clip.seconds, frames: clip.frames, features, heads: rows };
  });
  return { embedded, queueMs: streams.queueMs };
}
