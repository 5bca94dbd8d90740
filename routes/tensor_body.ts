/**
 * The body of an inference request of the Open Inference Protocol: JSON, then, with Triton's
 * extension for binary data, the tensor's bytes.
 */
import type { Context } from "hono";
import { z } from "@hono/zod-openapi";
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import { isWithin } from "../formats/json_size.ts";
import { plainly } from "../options.ts";
import type { MemoryShare } from "../recordings/memory_budget.ts";
import { bodyPieces } from "./bounded_body.ts";

/** Lists, objects and members of a request's JSON, beyond which parsing and checking take long. */
const MOST_IN_HEAD = 1024;

/** Names the length of the JSON before the bytes. */
export const HEAD_LENGTH = "Inference-Header-Content-Length";

const parameter = z.union([z.string(), z.number(), z.boolean()]);
const data = z.array(z.unknown()).openapi({
  type: "array",
  items: {},
  description: "the numbers, flat or nested",
});

/** The JSON of a request. */
export const inferSchema = z.strictObject({
  id: z.string().max(200).optional(),
  parameters: z.record(z.string(), parameter).optional().openapi({
    description: "binary_data_output, pool, steps",
  }),
  inputs: z.tuple([z.strictObject({
    name: z.literal("audio"),
    datatype: z.literal("FP32"),
    shape: z.tuple([z.int().min(1).max(LIMITS.clips), z.int().min(1).max(LIMITS.bodyBytes / 4)])
      .openapi({
        type: "array",
        items: { type: "integer" },
        description: "recordings and samples of each, at 16 kHz",
      }),
    parameters: z.strictObject({ binary_data_size: z.int().min(0).optional() }).optional(),
    data: data.optional(),
  })]).openapi({ type: "array", minItems: 1, maxItems: 1 }),
  outputs: z.array(z.strictObject({
    name: z.string(),
    parameters: z.strictObject({ binary_data: z.boolean().optional() }).optional(),
  })).min(1).optional(),
}).openapi("InferRequest");
/** Parsed {@linkcode inferSchema}. */
export type InferHead = z.infer<typeof inferSchema>;

/** A request: its JSON, and its samples. */
export interface InferBody {
  readonly head: InferHead;
  /** `[B, N]` */
  readonly samples: Float32Array;
}

/**
 * Reads a request as it arrives, up to its first fault.
 *
 * @throws {CpcError} `too_large`; `slow_sender`; `overloaded` if there is no memory for it;
 *   `invalid_message` if it is malformed or breaks off; `invalid_option`, naming the member;
 *   `invalid_audio` for samples that are not finite
 */
export async function readTensors(
  c: Context,
  { memory, stallMs, signal }: { memory: MemoryShare; stallMs: number; signal: AbortSignal },
): Promise<InferBody> {
  const headBytes = headLength(c.req.header(HEAD_LENGTH));
  const maxBytes = headBytes === undefined ? LIMITS.tensorJsonBytes : LIMITS.bodyBytes;
  const bounds = { maxBytes, stallMs, bytesPerS: LIMITS.leastBytesPerSecond, signal };
  const parts: Uint8Array[] = [];
  let partBytes = 0;
  let tensor: TensorBytes | undefined;
  for await (const piece of bodyPieces(c, bounds)) {
    if (tensor) {
      tensor.push(piece);
      continue;
    }
    const part = piece.subarray(0, headBytes === undefined ? piece.length : headBytes - partBytes);
    memory.take(part.length);
    parts.push(part.slice());
    partBytes += part.length;
    if (partBytes !== headBytes) continue;
    tensor = new TensorBytes(parseHead(parts), memory);
    tensor.push(piece.subarray(part.length));
  }
  if (tensor) return { head: tensor.head, samples: tensor.end() };
  if (headBytes !== undefined) throw malformed(`it has fewer bytes than ${HEAD_LENGTH} says`);
  const head = parseHead(parts);
  return { head, samples: jsonSamples(head, memory) };
}

function headLength(declared: string | undefined): number | undefined {
  if (declared === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(declared)) {
    throw malformed(`${HEAD_LENGTH} must be a number of bytes, got ${declared.slice(0, 20)}`);
  }
  if (Number(declared) <= LIMITS.optionBytes) return Number(declared);
  const why = `the JSON before binary data may have up to ${LIMITS.optionBytes} bytes`;
  throw new CpcError("too_large", why);
}

function parseHead(parts: readonly Uint8Array[]): InferHead {
  let json: unknown;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const texts = parts.map((part) => decoder.decode(part, { stream: true }));
    const text = texts.join("") + decoder.decode();
    const bounds = { items: Infinity, lists: MOST_IN_HEAD, members: MOST_IN_HEAD };
    if (isWithin(text, bounds)) json = JSON.parse(text);
  } catch {
    throw malformed("it is not JSON; binary data need " + HEAD_LENGTH);
  }
  if (json === undefined || hasLongList(json)) {
    const why = `it has more than ${MOST_IN_HEAD} lists, members or items beside its numbers`;
    throw malformed(why);
  }
  const parsed = inferSchema.safeParse(json, { error: plainly });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue?.path.join(".") || "body";
  throw new CpcError("invalid_option", `${place}: ${issue?.message}`, { param: place });
}

/** Whether a list other than a tensor's numbers is too long to be checked item by item. */
function hasLongList(json: unknown, name?: string): boolean {
  if (typeof json !== "object" || json === null || name === "data") return false;
  if (Array.isArray(json) && json.length > MOST_IN_HEAD) return true;
  return Object.entries(json).some(([name, value]) => hasLongList(value, name));
}

/** The samples of a request as their bytes arrive. */
class TensorBytes {
  readonly head: InferHead;
  readonly #samples: Float32Array;
  readonly #bytes: Uint8Array;
  #length = 0;
  #checked = 0;

  constructor(head: InferHead, memory: MemoryShare) {
    this.head = head;
    const [{ shape: [rows, samples], parameters, data }] = head.inputs;
    const bytes = 4 * rows * samples;
    const stated = parameters?.binary_data_size;
    if (stated !== bytes || data) {
      const why = `audio of shape [${rows}, ${samples}] has ${bytes} bytes of FP32; ` +
        (data ? "data stands in their place" : `binary_data_size says ${stated ?? "nothing"}`);
      throw new CpcError("invalid_option", why, { param: "inputs.0" });
    }
    if (bytes > LIMITS.bodyBytes) throw new CpcError("too_large", tooLarge(rows, samples));
    memory.take(bytes);
    this.#samples = new Float32Array(rows * samples);
    this.#bytes = new Uint8Array(this.#samples.buffer);
  }

  push(piece: Uint8Array): void {
    if (this.#length + piece.length > this.#bytes.length) {
      throw malformed(`it has more than the ${this.#bytes.length} bytes of its tensor`);
    }
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
    const whole = Math.floor(this.#length / 4);
    checkFinite(this.#samples.subarray(this.#checked, whole), this.#checked);
    this.#checked = whole;
  }

  end(): Float32Array {
    if (this.#length === this.#bytes.length) return this.#samples;
    throw malformed(`it has ${this.#length} of the ${this.#bytes.length} bytes of its tensor`);
  }
}

/** The samples of a request that has them in JSON. */
function jsonSamples({ inputs: [input] }: InferHead, memory: MemoryShare): Float32Array {
  const [rows, samples] = input.shape;
  if (!input.data || input.parameters?.binary_data_size !== undefined) {
    const why = `audio has no data, and ${HEAD_LENGTH} names no bytes after the JSON`;
    throw new CpcError("invalid_option", why, { param: "inputs.0.data" });
  }
  const values = input.data.flat(1);
  if (values.length !== rows * samples) {
    const why = `audio of shape [${rows}, ${samples}] has ${rows * samples} numbers, ` +
      `data has ${values.length}`;
    throw new CpcError("invalid_option", why, { param: "inputs.0.data" });
  }
  memory.take(4 * values.length);
  const bad = values.findIndex((x) => typeof x !== "number");
  if (bad >= 0) {
    const why = `number ${bad} of audio is a ${typeof values[bad]}`;
    throw new CpcError("invalid_option", why, { param: "inputs.0.data" });
  }
  const floats = Float32Array.from(values as number[]);
  checkFinite(floats, 0);
  return floats;
}

function checkFinite(values: Float32Array, first: number): void {
  const bad = values.findIndex((x) => !Number.isFinite(x));
  if (bad < 0) return;
  const why = `sample ${first + bad} of audio is ${values[bad]}: samples must be finite`;
  throw new CpcError("invalid_audio", why, { param: "inputs.0" });
}

function malformed(why: string): CpcError {
  return new CpcError("invalid_message", `the body is no inference request: ${why}`);
}

function tooLarge(rows: number, samples: number): string {
  return `audio of shape [${rows}, ${samples}] has more than ${LIMITS.bodyBytes} bytes`;
}
