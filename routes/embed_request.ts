/** What a request for features asks: its recordings and its options, however they were sent. */
import { Buffer } from "node:buffer";
import type { Context } from "hono";
import { z } from "zod";
import { type AudioSummary, decodeAudio, measureAudio } from "../audio/decode.ts";
import { LIMITS } from "../config.ts";
import { CpcError } from "../errors.ts";
import { minimumSamples, offlineFrames } from "../model/architecture.ts";
import type { PoolModel } from "../streaming/pool.ts";
import type { MemoryShare } from "./memory_budget.ts";

/** A body: recordings as they came, and what stood beside them. */
export interface ClipBody {
  readonly files: readonly Uint8Array[];
  /** Options of the query, form fields and JSON members. */
  readonly options: Record<string, unknown>;
}

/** A recording, read to its end and its frames counted. */
export interface FramedClip extends AudioSummary {
  readonly frames: number;
  /** Its samples, mono at 16 kHz, decoded anew. */
  read(signal?: AbortSignal): AsyncIterable<Float32Array<ArrayBuffer>>;
}

/** Recordings of one request that are worked on side by side. */
export const SIDE_BY_SIDE = 8;
/** Memory of a body and of the recordings found in it, while both are there. */
const PARSED_COPIES = 2;
const FIRST_BODY_BYTES = 1024 * 1024;

/**
 * Reads a body of recordings: raw, multipart with parts named `file`, or JSON `{"input": ["<base64>", …]}`.
 *
 * @param memory where the bytes are accounted for
 * @throws {CpcError} `too_large`; `overloaded` when there is no memory for it; `invalid_message` for a body that is malformed,
 *   breaks off or holds no recording; `invalid_option` for an option given twice
 */
export async function readClips(c: Context, memory?: MemoryShare): Promise<ClipBody> {
  const options: Record<string, unknown> = {};
  const add = (name: string, value: unknown) => {
    if (Object.hasOwn(options, name)) throw new CpcError("invalid_option", `option ${name} is given twice`, { param: name });
    Object.defineProperty(options, name, { value, enumerable: true });
  };
  for (const [name, values] of Object.entries(c.req.queries())) for (const value of values) add(name, value);
  const contentType = c.req.header("content-type") ?? "";
  const [isForm, isJson] = ["multipart/form-data", "application/json"].map((type) => contentType.toLowerCase().startsWith(type));
  const body = await readBody(c, { memory, maxBytes: isJson ? LIMITS.jsonBytes : LIMITS.bodyBytes });
  if (isForm || isJson) memory?.take(body.length * (PARSED_COPIES - 1));
  if (isForm) return { files: await formFiles(body, contentType, add), options };
  if (isJson) return { files: jsonFiles(body, add), options };
  if (body.length === 0) throw new CpcError("invalid_audio", "the body is empty: send an audio file", { param: "input[0]" });
  return { files: [body], options };
}

async function readBody(
  c: Context,
  { memory, maxBytes }: { memory?: MemoryShare; maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () => new CpcError("too_large", `a body of this type has up to ${maxBytes} bytes; send recordings one by one`);
  const given = c.req.header("content-length") ?? "";
  const declared = /^\d{1,15}$/.test(given) ? Number(given) : 0;
  if (declared > maxBytes) throw tooLarge();
  const first = Math.min(declared, FIRST_BODY_BYTES); // memory goes to what comes, not to what is announced
  memory?.take(first);
  let buffer = new ArrayBuffer(first);
  let length = 0;
  try {
    for await (const part of c.req.raw.body ?? []) {
      if (length + part.length > maxBytes) throw tooLarge();
      if (length + part.length > buffer.byteLength) {
        const room = Math.max(length + part.length, Math.min(buffer.byteLength * 2, declared || maxBytes));
        memory?.take(room - buffer.byteLength);
        buffer = buffer.transfer(room);
      }
      new Uint8Array(buffer).set(part, length);
      length += part.length;
    }
  } catch (error) {
    if (error instanceof CpcError) throw error;
    throw new CpcError("invalid_message", "the body broke off before its end", { cause: error });
  }
  return new Uint8Array(buffer, 0, length);
}

async function formFiles(
  body: Uint8Array<ArrayBuffer>,
  type: string,
  add: (name: string, value: unknown) => void,
): Promise<Uint8Array[]> {
  let form: FormData;
  try {
    form = await new Response(body, { headers: { "content-type": type } }).formData();
  } catch (error) {
    throw new CpcError("invalid_message", `the multipart body is malformed: ${(error as Error).message}`);
  }
  const [, quoted, plain] = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type) ?? [];
  // a last part without an end is left out by the parser
  if (Buffer.from(body.buffer, body.byteOffset, body.length).lastIndexOf(`--${quoted ?? plain}--`) < 0) {
    throw new CpcError("invalid_message", "the multipart body breaks off before its closing boundary");
  }
  const files: Uint8Array[] = [];
  for (const [name, value] of form) {
    if (name === "file") {
      if (typeof value === "string") throw noFile('a part "file" has no filename: without one it is text, not a recording');
      files.push(new Uint8Array(await value.arrayBuffer()));
    } else if (typeof value === "string") add(name, value);
    else throw new CpcError("invalid_option", `part ${name} is a file; parts with recordings are named "file"`, { param: name });
  }
  if (files.length === 0) throw noFile('the form has no part named "file"');
  return files;
}

function noFile(why: string): CpcError {
  return new CpcError("invalid_message", why, { param: "file" });
}

const jsonSchema = z.looseObject({ input: z.array(z.string()).min(1) });

function jsonFiles(body: Uint8Array, add: (name: string, value: unknown) => void): Uint8Array[] {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new CpcError("invalid_message", "the body is not JSON");
  }
  const parsed = jsonSchema.safeParse(json);
  if (!parsed.success) {
    throw new CpcError("invalid_message", 'the body is not {"input": ["<base64 of an audio file>", …]} with at least one file', {
      param: "input",
    });
  }
  const { input, ...rest } = parsed.data;
  for (const [name, value] of Object.entries(rest)) add(name, value);
  return input.map((text, i) => {
    try {
      return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
    } catch {
      throw new CpcError("invalid_audio", `input[${i}] is not base64`, { param: `input[${i}]` });
    }
  });
}

/**
 * Opens recordings: each is decoded to its end, so that reading it again does not fail, and its frames are counted.
 *
 * @throws {CpcError} `too_large` for too many; what is wrong with a bad one, with `param` `input[i]`
 */
export async function openClips(
  files: readonly Uint8Array[],
  { model, signal }: { model: PoolModel; signal?: AbortSignal },
): Promise<FramedClip[]> {
  if (files.length > LIMITS.clips) {
    throw new CpcError("too_large", `a request takes up to ${LIMITS.clips} recordings, got ${files.length}`);
  }
  const { config } = model.weights;
  return await forEachClip(files, signal, async (bytes, signal) => {
    const summary = await measureAudio(bytes, { maxSeconds: LIMITS.clipSeconds, signal });
    const frames = offlineFrames(config, summary.samples);
    if (frames < 1) {
      const least = minimumSamples(config);
      throw new CpcError("audio_too_short", `the audio has ${summary.samples} samples at 16 kHz; one frame needs ${least}`);
    }
    return { ...summary, frames, read: (signal) => decodeAudio(bytes, { signal }) } satisfies FramedClip;
  });
}

/**
 * Works on recordings, {@linkcode SIDE_BY_SIDE} at a time; the first that fails ends the others.
 *
 * @param work given an item and a signal that is aborted when it is no longer wanted
 * @returns the results in order
 * @throws {CpcError} of the first failure in order of time, with `param` `input[i]`
 */
export async function forEachClip<Item, Result>(
  items: readonly Item[],
  signal: AbortSignal | undefined,
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const stop = new AbortController();
  const wanted = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const results: Result[] = Array(items.length);
  const next = items.entries();
  let failure: { readonly error: unknown } | undefined;
  await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, items.length) }, async () => {
    for (const [i, item] of next) {
      if (failure) return;
      try {
        results[i] = await work(item, wanted);
      } catch (error) {
        failure ??= { error: error instanceof CpcError ? ofClip(error, i) : error };
        stop.abort();
      }
    }
  }));
  if (failure) throw failure.error;
  return results;
}

const OF_ONE_CLIP: ReadonlySet<string> = new Set(["invalid_audio", "unsupported_audio", "audio_too_short", "too_large"]);

function ofClip(error: CpcError, i: number): CpcError {
  if (!OF_ONE_CLIP.has(error.code)) return error;
  return new CpcError(error.code, error.message, { param: `input[${i}]`, cause: error });
}

/**
 * Parses options.
 *
 * @throws {CpcError} `invalid_option`, naming the option
 */
export function parseOptions<T extends z.ZodType>(schema: T, options: Record<string, unknown>): z.infer<T> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  throw optionError(parsed.error, options);
}

/** What zod found, as an error that names the option. */
export function optionError(error: z.ZodError, options: Record<string, unknown>): CpcError {
  const issue = error.issues[0];
  if (issue.code === "unrecognized_keys") {
    return new CpcError("invalid_option", `unknown option ${issue.keys[0]}`, { param: issue.keys[0] });
  }
  const name = String(issue.path[0] ?? "body");
  const given = JSON.stringify(options[name])?.slice(0, 80) ?? "nothing";
  return new CpcError("invalid_option", `option ${name}: ${issue.message}, got ${given}`, { param: name });
}
