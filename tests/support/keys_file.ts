/** A keys file for a test. */
import { createHash } from "node:crypto";

/** The key of a name. */
export function keyOf(name: string): string {
  return `secret-of-${name}`;
}

/** An entry of a keys file. */
export function entryOf(name: string, more: object = {}): object {
  return { name, sha256: createHash("sha256").update(keyOf(name)).digest("hex"), ...more };
}

/** A keys file that a test may write anew; it is gone afterwards. */
export async function withKeysFile(
  entries: readonly object[],
  use: (file: { readonly path: string; write(text: string): Promise<void> }) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile();
  const write = (text: string) => Deno.writeTextFile(path, text);
  try {
    await write(JSON.stringify(entries));
    await use({ path, write });
  } finally {
    await Deno.remove(path);
  }
}
