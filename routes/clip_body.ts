/** The body of a request with recordings: raw, a form or JSON, and the options in it. */
import type { Context } from "hono";
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import { addOption } from "../options.ts";
import type { MemoryShare } from "../recordings/memory_budget.ts";
import { readBody } from "./bounded_body.ts";
import { formFiles, jsonFiles } from "./clip_parts.ts";

/** A body: its recordings, still encoded, and its options. */
export interface ClipBody {
  readonly files: readonly Uint8Array[];
  /** Options from the query, form fields and JSON members. */
  readonly options: Record<string, unknown>;
}

/** Copies in memory: a body, and the recordings found in it. */
const PARSED_COPIES = 2;

/**
 * Reads a body of recordings: raw, multipart with parts named `file`, or JSON
 * `{"input": ["<base64>", …]}`.
 *
 * @param memory accounts for the bytes
 * @throws {CpcError} `too_large`; `overloaded` if there is no memory for it; `invalid_message` if
 *   it is malformed, breaks off or holds no recording; `invalid_option` for an option given twice
 */
export async function readClips(c: Context, memory?: MemoryShare): Promise<ClipBody> {
  const options: Record<string, unknown> = {};
  const add = (name: string, value: unknown) => addOption(options, name, value);
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
