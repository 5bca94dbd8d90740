/** What tells whether two servers compute the same numbers. */
import { createHash } from "node:crypto";
import type { Weights } from "../model/weights.ts";

/**
 * Equal for the same weights, heads, configuration, engine and precision, whatever the folder's
 * name.
 *
 * @param options the pool's
 */
export function fingerprintOf(
  { config, tensors, heads = [] }: Pick<Weights, "config" | "tensors" | "heads">,
  { engine, precision }: { engine: string; precision: string },
): string {
  const hash = createHash("sha256").update(JSON.stringify([config, engine, precision]));
  for (const [name, { shape, data }] of [...tensors].sort(([a], [b]) => a < b ? -1 : 1)) {
    hash.update(JSON.stringify([name, shape]));
    const copy = new Float32Array(data); // tensors are shared with the workers
    hash.update(new Uint8Array(copy.buffer));
  }
  for (const { name, spec, graph } of heads) {
    hash.update(JSON.stringify([name, spec])).update(new Uint8Array(graph)); // shared as well
  }
  return hash.digest("base64url");
}
