/**
 * Features as tensors of the Open Inference Protocol, all recordings of one length
 * (https://github.com/kserve/open-inference-protocol, with Triton's extension for binary data).
 */
import { floatBytes } from "../formats/float_bytes.ts";
import { formatRow } from "../formats/float_text.ts";
import { elementCount } from "../model/safetensors.ts";
import type { Embedded } from "./features.ts";
import { rowParts } from "./parts.ts";

/** What stands beside the tensors. */
export interface TensorAnswerOptions {
  readonly model: string;
  readonly version: string;
  readonly id?: string;
  /** Names of the outputs, in the order to answer in. */
  readonly outputs: readonly string[];
}

interface OutputTensor {
  readonly name: string;
  readonly datatype: "FP32";
  /** `[B, T, …]`, or `[B, …]` when pooled */
  readonly shape: readonly number[];
}

/**
 * The answer with binary tensors: JSON, then the bytes of each output.
 *
 * @returns `headBytes`: length of the JSON; `bytes`: of all
 */
export function binaryTensors(
  items: readonly Embedded[],
  options: TensorAnswerOptions,
): { headBytes: number; bytes: number; pieces: AsyncIterable<Uint8Array> } {
  const tensors = outputTensors(items, options).map((tensor) => ({
    ...tensor,
    parameters: { binary_data_size: 4 * elementCount(tensor.shape) },
  }));
  const text = JSON.stringify({ ...envelope(options), outputs: tensors });
  const head = new TextEncoder().encode(text);
  const data = tensors.reduce((sum, { parameters }) => sum + parameters.binary_data_size, 0);
  async function* pieces() {
    yield head;
    for (const { name } of tensors) {
      for await (const values of valuesOf(items, name)) yield floatBytes(values);
    }
  }
  return { headBytes: head.length, bytes: head.length + data, pieces: pieces() };
}

/** The answer with all numbers in JSON, each tensor flat. */
export async function* jsonTensors(
  items: readonly Embedded[],
  options: TensorAnswerOptions,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const start = JSON.stringify(envelope(options)).slice(0, -1);
  let before = `${start},"outputs":[`;
  for (const tensor of outputTensors(items, options)) {
    yield encoder.encode(`${before}${JSON.stringify(tensor).slice(0, -1)},"data":[`);
    let separator = "";
    for await (const values of valuesOf(items, tensor.name)) {
      if (values.length === 0) continue;
      yield encoder.encode(separator + formatRow(values).slice(1, -1));
      separator = ",";
    }
    before = "]},";
  }
  yield encoder.encode("]}]}");
}

function envelope({ model, version, id }: TensorAnswerOptions) {
  return { model_name: model, model_version: version, ...id !== undefined && { id } };
}

function outputTensors(
  items: readonly Embedded[],
  { outputs }: TensorAnswerOptions,
): OutputTensor[] {
  const features = items[0]!.features; // there is one, and the others have its shapes
  return outputs.map((name) => {
    const { shape } = features.find(({ output }) => output === name)!;
    return { name, datatype: "FP32", shape: [items.length, ...shape] };
  });
}

async function* valuesOf(
  items: readonly Embedded[],
  name: string,
): AsyncGenerator<Float32Array> {
  for (const { features } of items) {
    const { read } = features.find(({ output }) => output === name)!;
    for await (const piece of read()) yield* rowParts(piece, 1);
  }
}
