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
  /** Whether it may use the admin routes. */
  readonly admin?: boolean;
}

const entrySchema = z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/, "takes 1 to 64 letters, digits, dots, dashes or _"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/i, "takes the 64 hex digits of the key's SHA-256"),
  max_streams: z.int().min(0).optional(),
  requests_per_minute: z.int().min(1).optional(),
  admin: z.boolean().optional(),
});

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
  const names = new Set<string>();
  for (const { name } of keys) {
    if (names.has(name)) {
      throw new UsageError(`--api-keys-file names ${JSON.stringify(name)} twice`);
    }
    names.add(name);
  }
  return keys;
}

function keysOfFile(file: NamedFile, { maxStreams }: { maxStreams: number }): ApiKey[] {
  let json: unknown;
  try {
    json = JSON.parse(file.text());
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--api-keys-file: cannot read ${file.path}: ${(error as Error).message}`);
  }
  if (!Array.isArray(json)) {
    throw new UsageError(`--api-keys-file ${file.path} is not a list, [{"name", "sha256"}, …]`);
  }
  const read = json.map((entry) => entrySchema.safeParse(entry));
  const first = read.findIndex(({ success }) => !success);
  if (first >= 0) {
    const others = read.filter(({ success }) => !success).length - 1;
    throw new UsageError(
      `--api-keys-file ${file.path}: entry ${first + 1} of ${json.length}` +
        `${nameOf(json[first])}: ${firstFault(read[first]!.error!)}` +
        (others === 0 ? "" : `; ${others} more ${others === 1 ? "is" : "are"} wrong`),
    );
  }
  return read.map(({ data }) => {
    const { max_streams = maxStreams, requests_per_minute = Infinity, ...rest } = data!;
    return { ...rest, maxStreams: max_streams, requestsPerMinute: requests_per_minute };
  });
}

function nameOf(entry: unknown): string {
  const { data } = z.object({ name: entrySchema.shape.name }).safeParse(entry);
  return data ? ` (${data.name})` : "";
}

function firstFault({ issues: [issue] }: z.ZodError): string {
  const { path, message } = issue!;
  return path.length > 0 ? `${path.join(".")}: ${message}` : message;
}
