/** Answers with features: their format, and their bytes. */
import type { PoolModel } from "../inference/models.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { Format } from "./embed_options.ts";
import { arrays, type Embedded } from "./features.ts";
import { jsonAnswer } from "./json_answer.ts";
import { checkNpzSize, npyAnswer, npzAnswer } from "./npy_answer.ts";

/** Least text to send at once, in UTF-16 units. */
const PIECE_UNITS = 64 * 1024;

/** The format for a wish: npy holds one array, and npz holds several. */
export function formatFor(wished: Format, { arrays }: { arrays: number }): Format {
  return wished === "npy" && arrays !== 1 ? "npz" : wished;
}

/**
 * The answer in pieces.
 *
 * @throws {CpcError} `invalid_option` if the format cannot hold the features
 */
export function answer(
  items: readonly Embedded[],
  { format, model: { weights, layout } }: { format: Format; model: PoolModel },
): AsyncIterable<Uint8Array> {
  const [first, ...others] = items.flatMap(arrays);
  const count = first ? 1 + others.length : 0;
  const frameRate = MODEL_SAMPLE_RATE / layout.plan.hopSamples;
  if (format === "json") return encoded(jsonAnswer(items, { model: weights.id, frameRate }));
  if (first && formatFor(format, { arrays: count }) === "npy") return npyAnswer(first);
  checkNpzSize(items);
  return npzAnswer(items);
}

/** Encodes text as UTF-8, in pieces worth sending. */
async function* encoded(text: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  let buffer = "";
  for await (const piece of text) {
    buffer += piece;
    if (buffer.length < PIECE_UNITS) continue;
    yield new TextEncoder().encode(buffer);
    buffer = "";
  }
  yield new TextEncoder().encode(buffer);
}
