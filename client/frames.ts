/** Frames as the client returns them, whatever their format was. */
import { type BinaryFrame, readRows, type Rows } from "./binary_frame.ts";
import type { FramesMessage, Ready, Selection } from "./protocol.ts";

/** Frames that arrived together; row i is frame `first + i * every` of `segment`. */
export interface Frames extends Rows {
  readonly segment: number;
  /** Whose they are, if the stream is split. */
  readonly channel?: number;
  readonly first: number;
  readonly count: number;
  readonly every: number;
  /** Seconds from the segment's start to the first row's. */
  readonly time: number;
  /** Steps of the predictions and scores. */
  readonly steps: readonly number[];
}

/** The frames of a message, given the stream's segment and selection. */
export function framesOf(
  message: BinaryFrame | FramesMessage,
  { ready, segment, selection: { every, steps } }: {
    readonly ready: Ready;
    readonly segment: number;
    readonly selection: Selection;
  },
): Frames {
  const { channel, first, count } = message;
  const rows = message.type === "binary" ? readRows(message, ready.dims) : jsonRows(message);
  return {
    segment,
    ...(channel !== undefined && { channel }),
    first,
    count,
    every,
    time: first / ready.frame_rate,
    steps,
    ...rows,
  };
}

function jsonRows({ context, latent, prediction, score }: FramesMessage): Rows {
  const toFloats = (row: number[]) => Float32Array.from(row);
  return {
    ...(context && { context: context.map(toFloats) }),
    ...(latent && { latent: latent.map(toFloats) }),
    ...(prediction && { prediction: prediction.map((row) => row.map(toFloats)) }),
    ...(score && { score }),
  };
}
