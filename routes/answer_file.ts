/** A file as an answer, read while it is sent. */
import type { Context } from "hono";
import { LIMITS } from "../config/limits.ts";
import { answerStream } from "./answer_stream.ts";

/** What is read of a file at once. */
const PIECE_BYTES = 64 * 1024;

/**
 * Answers with a file, or with 304 if the client has this version of it. Between two pieces the
 * file is closed: many slow readers must not use up the descriptors.
 *
 * @param options `stallMs`: how long a reader may pause
 */
export async function answerFile(
  c: Context,
  path: string | URL,
  { stallMs, cacheControl }: { stallMs: number; cacheControl: string },
): Promise<Response> {
  const { size, mtime } = await Deno.stat(path);
  const changedMs = mtime?.getTime() ?? 0;
  const tag = `"${size.toString(36)}-${changedMs.toString(36)}"`;
  const headers = { "ETag": tag, "Cache-Control": cacheControl };
  if (c.req.header("if-none-match") === tag) return c.body(null, 304, headers);
  const body = answerStream(piecesOf(path, { size, changedMs }), {
    stallMs,
    bytesPerS: LIMITS.leastBytesPerSecond,
    signal: c.req.raw.signal,
    onEnd() {},
  });
  const type = String(path).endsWith(".json") ? "application/json" : "application/octet-stream";
  return c.body(body, 200, { ...headers, "Content-Type": type, "Content-Length": String(size) });
}

async function* piecesOf(
  path: string | URL,
  version: { size: number; changedMs: number },
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < version.size;) {
    const piece = await pieceAt(at, { path, ...version });
    at += piece.length;
    yield piece;
  }
}

/** @throws {Error} if the file was changed since the answer began */
async function pieceAt(
  at: number,
  { path, size, changedMs }: { path: string | URL; size: number; changedMs: number },
): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const now = await file.stat();
  if (now.size !== size || (now.mtime?.getTime() ?? 0) !== changedMs) {
    throw new Error(`${path} was changed while it was sent`);
  }
  await file.seek(at, Deno.SeekMode.Start);
  const piece = new Uint8Array(Math.min(PIECE_BYTES, size - at));
  const read = await file.read(piece);
  if (!read) throw new Error(`${path} ended early`);
  return piece.subarray(0, read);
}
