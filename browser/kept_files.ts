/** Files of a server that the browser keeps, so that they are fetched once. */
import { CpcError, ERROR_CODES, type ErrorCode } from "../errors.ts";

/** Name of the browser's cache. */
const CACHE = "cpc-stream";
/** The first bytes of gzip. */
const GZIP = [0x1f, 0x8b] as const;

/**
 * Fetches a file, unless the kept one is still the server's, or the server cannot be reached.
 *
 * @param options `key`: the server's; `optional`: whether it may be missing
 * @returns its bytes, and the tag of this version; undefined if it is missing and may be
 * @throws {CpcError} the server's code; `not_found`, `loading` if it does not answer
 */
export async function fetchKept(
  url: string,
  { key, optional = false }: { key?: string; optional?: boolean } = {},
): Promise<{ bytes: Uint8Array<ArrayBuffer>; tag: string } | undefined> {
  // pages that are neither https nor localhost have no cache, some private windows refuse it
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined);
  const kept = await cache?.match(url);
  const tag = kept?.headers.get("etag");
  const headers = new Headers();
  if (key) headers.set("authorization", `Bearer ${key}`);
  if (tag) headers.set("if-none-match", tag);
  let answer: Response;
  try {
    answer = await fetch(url, { headers });
  } catch (cause) {
    if (kept) return await read(kept);
    const why = `${url} cannot be fetched, and this browser does not keep it yet`;
    throw new CpcError("loading", why, { cause });
  }
  if (answer.status === 304 && kept) return await read(kept);
  if (answer.status === 404 && optional) return undefined;
  if (!answer.ok) throw await refusal(url, answer);
  if (cache && answer.headers.has("etag")) {
    await cache.put(url, answer.clone()).catch((error) =>
      console.warn(`${url} is fetched again next time: ${error}`)
    );
  }
  return await read(answer);
}

async function read(answer: Response): Promise<{ bytes: Uint8Array<ArrayBuffer>; tag: string }> {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { bytes, tag: answer.headers.get("etag") ?? "" };
}

async function refusal(url: string, answer: Response): Promise<CpcError> {
  const said: unknown = await answer.json().catch(() => undefined);
  const { error = {} } = (said ?? {}) as { error?: { code?: string; message?: string } };
  const code = error.code !== undefined && error.code in ERROR_CODES
    ? error.code as ErrorCode
    : "not_found";
  return new CpcError(code, error.message ?? `${url} answers ${answer.status}`);
}

/** The gzipped WebAssembly beside a script: `worker.wasm.gz` of `worker.js`. */
export async function unpackedBeside(script: string): Promise<ArrayBuffer> {
  const packed = await fetchKept(script.replace(/\.js$/, ".wasm.gz"));
  const { bytes } = packed!; // it is not optional
  const isPacked = bytes[0] === GZIP[0] && bytes[1] === GZIP[1];
  if (!isPacked) return bytes.buffer; // its server said Content-Encoding: the browser unpacked it
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(unpacked).arrayBuffer();
}
