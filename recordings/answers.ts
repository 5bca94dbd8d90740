/** Answers with features: their format, and their bytes. */
import type { Dtype } from "../formats/float_bytes.ts";
import type { PoolModel } from "../inference/models.ts";
import { MODEL_SAMPLE_RATE } from "../model/architecture.ts";
import type { Encoding, Format } from "./embed_options.ts";
import { arrays, type Embedded } from "./features.ts";
import { jsonAnswer } from "./json_answer.ts";
import { checkNpzSize, npyAnswer, npzAnswer } from "./npy_answer.ts";
import { safetensorsAnswer } from "./safetensors_answer.ts";

/** Least text to send at once, in UTF-16 units. */
const PIECE_UNITS = 64 * 1024;

/** The format for a wish: npy holds one array, and npz holds several. */
export function formatFor<Wished extends Format>(
  wished: Wished,
  { arrays }: { arrays: number },
): Wished | "npz" {
  return wished === "npy" && arrays !== 1 ? "npz" : wished;
}

/** How features are written. */
export interface AnswerOptions {
  /** Other than ndjson, which is written as frames are computed. */
  readonly format: Exclude<Format, "ndjson">;
  readonly model: PoolModel;
  /** Of the numbers of npy, npz and safetensors. */
  readonly dtype: Dtype;
  /** Of the member `embedding` of json. */
  readonly encoding?: Encoding;
}

/**
 * The answer in pieces.
 *
 * @throws {CpcError} `invalid_option` if the format cannot hold the features
 */
export function answer(
  items: readonly Embedded[],
  { format, model: { weights, layout }, dtype, encoding }: AnswerOptions,
): AsyncIterable<Uint8Array> {
  const [first, ...others] = items.flatMap(arrays);
  const count = first ? 1 + others.length : 0;
  const model = weights.id;
  const frameRate = MODEL_SAMPLE_RATE / layout.plan.hopSamples;
  if (format === "json") return encoded(jsonAnswer(items, { model, frameRate, encoding }));
  if (format === "safetensors") {
    const metadata = { model, frame_rate: String(frameRate) };
    return safetensorsAnswer(items, { dtype, metadata });
  }
  if (first && formatFor(format, { arrays: count }) === "npy") return npyAnswer(first, dtype);
  checkNpzSize(items, dtype);
  return npzAnswer(items, dtype);
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
