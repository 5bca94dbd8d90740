/** A file as an answer, read while it is sent. */
import type { Context } from "hono";
import { LIMITS } from "../config/limits.ts";
import { answerStream } from "./answer_stream.ts";

/** What is read of a file at once. */
const PIECE_BYTES = 256 * 1024;

/**
 * Answers with a file, or with 304 if the client has this version of it.
 *
 * @param options `stallMs`: how long a reader may pause
 */
export async function answerFile(
  c: Context,
  path: string | URL,
  { stallMs, cacheControl }: { stallMs: number; cacheControl: string },
): Promise<Response> {
  const { size, mtime } = await Deno.stat(path);
  const tag = `"${size.toString(36)}-${mtime?.getTime().toString(36)}"`;
  const headers = { "ETag": tag, "Cache-Control": cacheControl };
  if (c.req.header("if-none-match") === tag) return c.body(null, 304, headers);
  const body = answerStream(piecesOf(path), {
    stallMs,
    bytesPerS: LIMITS.leastBytesPerSecond,
    signal: c.req.raw.signal,
    onEnd() {},
  });
  const type = String(path).endsWith(".json") ? "application/json" : "application/octet-stream";
  return c.body(body, 200, { ...headers, "Content-Type": type, "Content-Length": String(size) });
}

async function* piecesOf(path: string | URL): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  for (;;) {
    const piece = new Uint8Array(PIECE_BYTES);
    const read = await file.read(piece);
    if (read === null) return;
    yield piece.subarray(0, read);
  }
}
