/** The keys of a server, from the command line or from a file with names and quotas. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import type { NamedFile } from "./kinds.ts";

/** A key that clients may send. */
export interface ApiKey {
  /** Its owner's name, for logs and quotas. */
  readonly name: string;
  /** Hex SHA-256 of the key. */
  readonly sha256: string;
  readonly maxStreams: number;
  readonly requestsPerMinute: number;
}

const keysFileSchema = z.array(z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/i),
  max_streams: z.int().min(0).optional(),
  requests_per_minute: z.int().min(1).optional(),
}));

/**
 * All keys of a server, as hashes.
 *
 * @param options `maxStreams`: for a key without its own
 * @throws {UsageError} for a file that is not a list of keys, or that names one twice
 */
export function apiKeysOf(
  { apiKeys, apiKeysFile }: { apiKeys: readonly string[]; apiKeysFile?: NamedFile },
  { maxStreams }: { maxStreams: number },
): ApiKey[] {
  const plain = apiKeys.map((key, i) => ({
    name: `key${i + 1}`,
    sha256: createHash("sha256").update(key).digest("hex"),
    maxStreams,
    requestsPerMinute: Infinity,
  }));
  const keys = [...plain, ...apiKeysFile ? keysOfFile(apiKeysFile, { maxStreams }) : []];
  const names = keys.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return keys;
  throw new UsageError(`--api-keys-file names ${JSON.stringify(twice)} twice`);
}

function keysOfFile(file: NamedFile, { maxStreams }: { maxStreams: number }): ApiKey[] {
  let json: unknown;
  try {
    json = JSON.parse(file.text());
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--api-keys-file: cannot read ${file.path}: ${(error as Error).message}`);
  }
  const keys = keysFileSchema.safeParse(json);
  if (!keys.success) {
    throw new UsageError(
      `--api-keys-file ${file.path}: ${z.prettifyError(keys.error).replaceAll("\n", " ")}`,
    );
  }
  return keys.data.map(
    ({ name, sha256, max_streams = maxStreams, requests_per_minute = Infinity }) => {
      return { name, sha256, maxStreams: max_streams, requestsPerMinute: requests_per_minute };
    },
  );
}
