/**
 * The body of a request that brings recordings: raw, a form or JSON, and the options that stand
 * beside them.
 */
import { Buffer } from "node:buffer";
import type { Context } from "hono";
import { z } from "zod";
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import type { MemoryShare } from "../recordings/memory_budget.ts";

/** A body: recordings as they came, and what stood beside them. */
export interface ClipBody {
  readonly files: readonly Uint8Array[];
  /** Options of the query, form fields and JSON members. */
  readonly options: Record<string, unknown>;
}

/** Memory of a body and of the recordings found in it, while both are there. */
const PARSED_COPIES = 2;
const FIRST_BODY_BYTES = 1024 * 1024;

/**
 * Reads a body of recordings: raw, multipart with parts named `file`, or JSON `{"input":
 * ["<base64>", …]}`.
 *
 * @param memory where the bytes are accounted for
 * @throws {CpcError} `too_large`; `overloaded` when there is no memory for it; `invalid_message`
 *   for a body that is malformed, breaks off or holds no recording; `invalid_option` for an option
 *   given twice
 */
export async function readClips(c: Context, memory?: MemoryShare): Promise<ClipBody> {
  const options: Record<string, unknown> = {};
  const add = (name: string, value: unknown) => {
    if (Object.hasOwn(options, name)) {
      throw new CpcError("invalid_option", `option ${name} is given twice`, { param: name });
    }
    Object.defineProperty(options, name, { value, enumerable: true });
  };
  for (const [name, values] of Object.entries(c.req.queries())) {
    for (const value of values) add(name, value);
  }
  const contentType = c.req.header("content-type") ?? "";
  const [isForm, isJson] = ["multipart/form-data", "application/json"].map((type) =>
    contentType.toLowerCase().startsWith(type)
  );
  const body = await readBody(c, {
    memory,
    maxBytes: isJson ? LIMITS.jsonBytes : LIMITS.bodyBytes,
  });
  if (isForm || isJson) memory?.take(body.length * (PARSED_COPIES - 1));
  if (isForm) return { files: await formFiles(body, contentType, add), options };
  if (isJson) return { files: jsonFiles(body, add), options };
  if (body.length === 0) {
    throw new CpcError("invalid_audio", "the body is empty: send an audio file", {
      param: "input[0]",
    });
  }
  return { files: [body], options };
}

async function readBody(
  c: Context,
  { memory, maxBytes }: { memory?: MemoryShare; maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new CpcError(
      "too_large",
      `a body of this type has up to ${maxBytes} bytes; send recordings one by one`,
    );
  const given = c.req.header("content-length") ?? "";
  const declared = /^\d{1,15}$/.test(given) ? Number(given) : 0;
  if (declared > maxBytes) throw tooLarge();
  // memory goes to what comes, not to what is announced
  const first = Math.min(declared, FIRST_BODY_BYTES);
  memory?.take(first);
  let buffer = new ArrayBuffer(first);
  let length = 0;
  try {
    for await (const part of c.req.raw.body ?? []) {
      if (length + part.length > maxBytes) throw tooLarge();
      if (length + part.length > buffer.byteLength) {
        const room = Math.max(
          length + part.length,
          Math.min(buffer.byteLength * 2, declared || maxBytes),
        );
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
    throw new CpcError(
      "invalid_message",
      `the multipart body is malformed: ${(error as Error).message}`,
    );
  }
  const [, quoted, plain] = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type) ?? [];
  // a last part without an end is left out by the parser
  if (
    Buffer.from(body.buffer, body.byteOffset, body.length).lastIndexOf(`--${quoted ?? plain}--`) < 0
  ) {
    throw new CpcError(
      "invalid_message",
      "the multipart body breaks off before its closing boundary",
    );
  }
  const files: Uint8Array[] = [];
  for (const [name, value] of form) {
    if (name === "file") {
      if (typeof value === "string") {
        throw noFile('a part "file" has no filename: without one it is text, not a recording');
      }
      files.push(new Uint8Array(await value.arrayBuffer()));
    } else if (typeof value === "string") add(name, value);
    else {throw new CpcError(
        "invalid_option",
        `part ${name} is a file; parts with recordings are named "file"`,
        { param: name },
      );}
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
    throw new CpcError(
      "invalid_message",
      'the body is not {"input": ["<base64 of an audio file>", …]} with at least one file',
      {
        param: "input",
      },
    );
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
