/** Files that runs and caches keep, as a crash may have left them. */

/** The bytes of a file; undefined where there is none. */
export async function bytesOf(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** The text of a file; undefined where there is none. */
export async function textOf(file: string): Promise<string | undefined> {
  const bytes = await bytesOf(file);
  return bytes && new TextDecoder().decode(bytes);
}

/** What JSON says, for a schema to check; undefined for text that is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Replaces a file in one move, so that a crash leaves the old one or the new one, whole. */
export async function replaceFile(file: string, bytes: Uint8Array): Promise<void> {
  using handle = await Deno.open(`${file}.new`, { write: true, create: true, truncate: true });
  for (let at = 0; at < bytes.length;) at += await handle.write(bytes.subarray(at));
  await handle.sync(); // else a power cut may leave the new name with no bytes behind it
  await Deno.rename(`${file}.new`, file);
}
