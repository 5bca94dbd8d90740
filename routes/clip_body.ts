/** The body of a request with recordings: raw, a form or JSON, and the options in it. */
import type { Context } from "hono";
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import { addOption } from "../options.ts";
import type { EncodedFile } from "../recordings/encoded_file.ts";
import type { MemoryShare } from "../recordings/memory_budget.ts";
import { bodyPieces } from "./bounded_body.ts";
import { ClipFiles } from "./clip_files.ts";
import { ClipForm } from "./clip_form.ts";
import { ClipJson } from "./clip_json.ts";

/** A body: its recordings, still encoded, and its options. */
export interface ClipBody {
  readonly files: readonly EncodedFile[];
  /** Options from the query, form fields and JSON members; those of the body win. */
  readonly options: Record<string, unknown>;
}

/** Codings in which HTTP compresses a body. */
const COMPRESSED = /\b(gzip|deflate|br|zstd|compress)\b/i;

/** What takes a body piece by piece. */
interface BodyParser {
  push(piece: Uint8Array<ArrayBuffer>): void | Promise<void>;
  end(): void | Promise<void>;
}

/**
 * Reads a body of recordings: raw, multipart with parts named `file`, or JSON
 * `{"input": ["<base64>", …]}`. It is parsed as it arrives, up to its first fault.
 *
 * @param options `memory`: accounts for the recordings; `stallMs`: longest pause of the sender;
 *   `signal`: aborting it ends the reading
 * @throws {CpcError} `too_large`; `slow_sender`; `overloaded` if there is no memory for it;
 *   `invalid_message` if it is malformed, breaks off or holds no recording; `invalid_audio` for
 *   what is not base64; `unsupported_audio` if it is compressed; `invalid_option` for an option
 *   given twice
 */
export async function readClips(
  c: Context,
  { memory, stallMs, signal }: { memory?: MemoryShare; stallMs: number; signal?: AbortSignal },
): Promise<ClipBody> {
  const coding = c.req.header("content-encoding") ?? "";
  if (COMPRESSED.test(coding)) {
    const why = `a body with Content-Encoding ${coding} is not unpacked; send it as it is`;
    throw new CpcError("unsupported_audio", why);
  }
  const inQuery: Record<string, unknown> = {};
  const inBody: Record<string, unknown> = {};
  const add = (name: string, value: unknown) => addOption(inBody, name, value);
  for (const [name, values] of Object.entries(c.req.queries())) {
    for (const value of values) addOption(inQuery, name, value);
  }
  const contentType = c.req.header("content-type") ?? "";
  const [isForm, isJson] = ["multipart/form-data", "application/json"].map((type) =>
    contentType.toLowerCase().startsWith(type)
  );
  const clips = new ClipFiles(memory);
  const parser = isForm
    ? new ClipForm(clips, { contentType, add })
    : isJson
    ? jsonParser(clips, add)
    : rawParser(clips);
  const maxBytes = isJson ? LIMITS.jsonBytes : LIMITS.bodyBytes;
  const bounds = { maxBytes, stallMs, bytesPerS: LIMITS.leastBytesPerSecond, signal };
  for await (const piece of bodyPieces(c, bounds)) await parser.push(piece);
  await parser.end();
  return { files: clips.files, options: { ...inQuery, ...inBody } };
}

function jsonParser(
  clips: ClipFiles,
  add: (name: string, value: unknown) => void,
): BodyParser {
  const json = new ClipJson(clips);
  return {
    push: (piece) => json.push(piece),
    end() {
      for (const [name, value] of json.end()) add(name, value);
    },
  };
}

function rawParser(clips: ClipFiles): BodyParser {
  const file = clips.begin();
  return {
    push: (piece) => file.append(piece),
    end() {
      if (file.length > 0) return;
      const why = "the body is empty: send an audio file";
      throw new CpcError("invalid_audio", why, { param: "input[0]" });
    },
  };
}
