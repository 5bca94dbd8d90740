/** What a request for features asks: its recordings and its options, however they were sent. */
import type { Context } from "hono";
import { z } from "zod";
import { type AudioClip, openAudio } from "../audio/clip.ts";
import { LIMITS } from "../config.ts";
import { CpcError } from "../errors.ts";
import { minimumSamples, offlineFrames } from "../model/architecture.ts";
import type { PoolModel } from "../streaming/pool.ts";

/** A body: recordings as they came, and what stood beside them. */
export interface ClipBody {
  readonly files: readonly Uint8Array[];
  /** Options of the query, form fields and JSON members. */
  readonly options: Record<string, unknown>;
}

/** A recording, its frames counted. */
export interface FramedClip extends AudioClip {
  readonly frames: number;
}

/**
 * Reads a body of recordings: raw, multipart with parts named `file`, or JSON `{"input": ["<base64>", …]}`.
 *
 * @throws {CpcError} `too_large`, `invalid_message` for a body that is malformed or holds no recording, `invalid_option` for an option given twice
 */
export async function readClips(c: Context): Promise<ClipBody> {
  const options: Record<string, unknown> = {};
  const add = (name: string, value: unknown) => {
    if (Object.hasOwn(options, name)) throw new CpcError("invalid_option", `option ${name} is given twice`, { param: name });
    Object.defineProperty(options, name, { value, enumerable: true });
  };
  for (const [name, values] of Object.entries(c.req.queries())) for (const value of values) add(name, value);
  const type = (c.req.header("content-type") ?? "").toLowerCase();
  const body = await readBody(c);
  if (type.startsWith("multipart/form-data")) {
    return { files: await formFiles(body, c.req.header("content-type") ?? "", add), options };
  }
  if (type.startsWith("application/json")) return { files: jsonFiles(body, add), options };
  if (body.length === 0) throw new CpcError("invalid_audio", "the body is empty: send an audio file", { param: "input[0]" });
  return { files: [body], options };
}

async function readBody(c: Context): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () => new CpcError("too_large", `a body has up to ${LIMITS.bodyBytes} bytes; send long recordings one by one`);
  if (Number(c.req.header("content-length") ?? 0) > LIMITS.bodyBytes) throw tooLarge();
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of c.req.raw.body ?? []) {
    length += part.length;
    if (length > LIMITS.bodyBytes) throw tooLarge();
    parts.push(part);
  }
  if (parts.length === 1) return parts[0].slice();
  const body = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
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
  const files: Uint8Array[] = [];
  for (const [name, value] of form) {
    if (name === "file") {
      if (typeof value === "string") files.push(new TextEncoder().encode(value));
      else files.push(new Uint8Array(await value.arrayBuffer()));
    } else if (typeof value === "string") add(name, value);
    else {throw new CpcError("invalid_option", `part ${JSON.stringify(name)} is a file; parts with recordings are named "file"`, {
        param: name,
      });}
  }
  if (files.length === 0) throw new CpcError("invalid_message", 'the form has no part named "file"', { param: "file" });
  return files;
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
      return Uint8Array.fromBase64(text);
    } catch {
      throw new CpcError("invalid_audio", `input[${i}] is not base64`, { param: `input[${i}]` });
    }
  });
}

/**
 * Opens recordings and counts their frames.
 *
 * @param options `least`: frames that each must give
 * @throws {CpcError} what is wrong with the first bad one, with `param` `input[i]`
 */
export async function openClips(files: readonly Uint8Array[], { model }: { model: PoolModel }): Promise<FramedClip[]> {
  if (files.length > LIMITS.clips) {
    throw new CpcError("too_large", `a request takes up to ${LIMITS.clips} recordings, got ${files.length}`);
  }
  const clips: FramedClip[] = [];
  for (const [i, bytes] of files.entries()) {
    try {
      const clip = await openAudio(bytes, { maxSeconds: LIMITS.clipSeconds });
      const frames = offlineFrames(model.weights.config, clip.samples);
      if (frames < 1) {
        const least = minimumSamples(model.weights.config);
        throw new CpcError("audio_too_short", `the audio has ${clip.samples} samples at 16 kHz; one frame needs ${least}`);
      }
      clips.push({ ...clip, frames });
    } catch (error) {
      if (!(error instanceof CpcError)) throw error;
      throw new CpcError(error.code, error.message, { param: `input[${i}]`, cause: error });
    }
  }
  return clips;
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
