/**
 * The body of a request that brings recordings: raw, a form or JSON, and the options that stand
 * beside them.
 */
import type { Context } from "hono";
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import { addOption } from "../options.ts";
import type { MemoryShare } from "../recordings/memory_budget.ts";
import { readBody } from "./bounded_body.ts";
import { formFiles, jsonFiles } from "./clip_parts.ts";

/** A body: recordings as they came, and what stood beside them. */
export interface ClipBody {
  readonly files: readonly Uint8Array[];
  /** Options of the query, form fields and JSON members. */
  readonly options: Record<string, unknown>;
}

/** Memory of a body and of the recordings found in it, while both are there. */
const PARSED_COPIES = 2;

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
