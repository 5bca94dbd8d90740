/** Heads on a command line. */
import type { GivenHead } from "../model/heads/load.ts";
import { headNameSchema } from "../model/heads/spec.ts";

/**
 * Reads `NAME=FOLDER` or `NAME=FOLDER?any-features`; undefined for other text.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { givenHeadOf } from "./heads.ts";
 *
 * assert.deepEqual(givenHeadOf("vad=heads/my-vad?any-features"), {
 *   name: "vad",
 *   folder: "heads/my-vad",
 *   anyFeatures: true,
 * });
 * ```
 */
export function givenHeadOf(text: string): GivenHead | undefined {
  const [, name = "", folder = "", any] = /^([^=]+)=(.+?)(\?any-features)?$/.exec(text) ?? [];
  if (folder === "" || !headNameSchema.safeParse(name).success) return undefined;
  return { name, folder, anyFeatures: any !== undefined };
}
