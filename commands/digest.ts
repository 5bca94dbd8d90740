/** Fingerprints of weights, for what is kept between runs. */
import { createHash } from "node:crypto";
import type { Weights } from "../model/weights.ts";

/** SHA-256 over the configuration and every tensor, in hexadecimal. */
export function digestOf({ config, tensors }: Weights): string {
  const hash = createHash("sha256").update(JSON.stringify(config));
  for (const [name, { data }] of [...tensors].sort(([a], [b]) => a < b ? -1 : 1)) {
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

/** Those of some of its heads, by name. */
export function digestsOf(
  { heads = [] }: Weights,
  names: readonly string[],
): { heads?: Record<string, string> } {
  const asked = heads.filter(({ name }) => names.includes(name));
  if (asked.length === 0) return {};
  return {
    heads: Object.fromEntries(asked.map(({ name, spec, graph }) => {
      const hash = createHash("sha256").update(JSON.stringify(spec)).update(new Uint8Array(graph));
      return [name, hash.digest("hex")];
    })),
  };
}
