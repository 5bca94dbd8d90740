/** Features as JSON, written piece by piece. */
import { floatBytes } from "../formats/float_bytes.ts";
import { formatRow } from "../formats/float_text.ts";
import { rowText } from "../formats/head_text.ts";
import { rowWidth } from "../model/heads/spec.ts";
import type { Encoding } from "./embed_options.ts";
import type { Embedded, HeadFeature } from "./features.ts";
import { rowParts } from "./parts.ts";

/** How features become JSON. */
export interface JsonOptions {
  readonly model: string;
  /** Frames a second. */
  readonly frameRate: number;
  /** Of the member `embedding`; numbers by default. */
  readonly encoding?: Encoding;
}

/** The JSON answer, in pieces. */
export async function* jsonAnswer(
  items: readonly Embedded[],
  { model, frameRate, encoding }: JsonOptions,
): AsyncGenerator<string> {
  yield `{"object":"list","model":${JSON.stringify(model)},"frame_rate":${frameRate},"data":[`;
  for (const [index, item] of items.entries()) {
    if (index > 0) yield ",";
    yield* jsonItem(item, { index, encoding });
  }
  const total = items.reduce((sum, { seconds }) => sum + seconds, 0);
  yield `],"usage":{"audio_seconds":${total}}}`;
}

/** One recording's features, in pieces. */
export async function* jsonItem(
  { seconds, frames, features, heads }: Embedded,
  { index, encoding }: Pick<JsonOptions, "encoding"> & { index: number },
): AsyncGenerator<string> {
  yield `{"object":"embedding","index":${index},"seconds":${seconds},"frames":${frames}`;
  const vector = features.find(({ shape }) => shape.length === 1);
  if (vector) {
    for await (const values of vector.read()) {
      const text = encoding === "base64" ? `"${floatBytes(values).toBase64()}"` : formatRow(values);
      yield `,"embedding":${text}`;
    }
  }
  for (const { output, shape, read } of features) {
    yield `,"${output}":`;
    yield* jsonArray(shape, read());
  }
  for (const head of heads) yield* jsonHead(head);
  yield "}";
}

/** A head's rows, each an object. */
async function* jsonHead({ name, rate, spec, read }: HeadFeature): AsyncGenerator<string> {
  yield `,"head.${name}":{"rate":${rate},"rows":[`;
  const width = rowWidth(spec);
  let rows = 0;
  for await (const piece of read()) {
    for (const part of rowParts(piece, width)) {
      const texts = Array.from(
        { length: part.length / width },
        (_, r) => rowText(part.subarray(r * width, (r + 1) * width), { spec, formatRow }),
      );
      yield (rows > 0 ? "," : "") + texts.join();
      rows += texts.length;
    }
  }
  yield "]}";
}

/**
 * A nested array of any depth; brackets open and close where a row begins or ends a larger unit.
 */
async function* jsonArray(
  shape: readonly number[],
  pieces: AsyncIterable<Float32Array>,
): AsyncGenerator<string> {
  const width = shape.at(-1) ?? 1;
  const outer = shape.slice(0, -1);
  // rows in a unit of each depth
  const units = outer.map((_, depth) => outer.slice(depth).reduce((a, b) => a * b, 1));
  let row = 0;
  for await (const piece of pieces) {
    for (const part of rowParts(piece, width)) {
      let text = "";
      for (let at = 0; at < part.length; at += width, row++) {
        const opens = "[".repeat(units.filter((rows) => row % rows === 0).length);
        const closes = row === 0 ? "" : "]".repeat(opens.length) + ",";
        text += closes + opens + formatRow(part.subarray(at, at + width));
      }
      yield text;
    }
  }
  yield "]".repeat(outer.length);
}
