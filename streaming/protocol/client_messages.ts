/** The stream protocol as data: what a client may send as text; `messages.ts` has the answers. */
import { z } from "zod";
import { CpcError } from "../../errors.ts";
import { isWithin } from "../../formats/json_size.ts";
import { plainly, shown } from "../../options.ts";
import {
  everyNumber,
  MOST_VOICE_NUMBERS,
  outputList,
  stepList,
  voiceNumbers,
} from "./selection.ts";

/** Text messages from clients. */
export const clientMessageSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("mark"), id: z.unknown().optional() }),
  z.strictObject({ type: z.literal("reset") }),
  z.strictObject({
    type: z.literal("update"),
    output: outputList.optional(),
    steps: stepList.optional(),
    every: everyNumber.optional(),
    voice: voiceNumbers.optional(),
  }),
  z.strictObject({ type: z.literal("keep_alive") }),
  z.strictObject({ type: z.literal("finish") }),
]);
/** One of {@linkcode clientMessageSchema}. */
export type ClientMessage = z.infer<typeof clientMessageSchema>;

/**
 * Parses a text message from a client.
 *
 * @throws {CpcError} `invalid_json` for text that is not JSON; `invalid_message` for any other text
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseClientMessage } from "./client_messages.ts";
 *
 * assert.deepEqual(parseClientMessage('{"type":"mark","id":7}'), { type: "mark", id: 7 });
 * assert.throws(() => parseClientMessage("hello"), { code: "invalid_json" });
 * ```
 */
export function parseClientMessage(text: string): ClientMessage {
  if (!isWithin(text, MOST_IN_TEXT)) {
    throw new CpcError(
      "invalid_message",
      `message not understood: a text message holds up to ${MOST_IN_TEXT.items} items and ` +
        `${MOST_IN_TEXT.members} members of objects`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new CpcError(
      "invalid_json",
      "this text message is not JSON; send audio in binary messages",
    );
  }
  checkSize(json);
  const message = clientMessageSchema.safeParse(json, { error: plainly });
  if (message.success) return message.data;
  throw new CpcError("invalid_message", `message not understood: ${whyOf(message.error, json)}`);
}

/** What is wrong with a message. */
function whyOf({ issues }: z.ZodError, json: unknown): string {
  const { path, code, message } = issues[0]!;
  if (code === "unrecognized_keys") return message;
  const [name] = path;
  const given = shown(name === undefined ? json : (json as Record<PropertyKey, unknown>)[name]);
  if (name === undefined || name === "type") {
    const known = clientMessageSchema.options.map((option) => option.shape.type.value).join(", ");
    return `a text message is an object whose type is one of ${known}, got ${given}`;
  }
  return `member ${path.join(".")}: ${message}, got ${given}`;
}

/** Beyond this, parsing takes long, whatever is in it: a mark's id may be anything. */
const MOST_IN_TEXT = { items: 20_000, lists: 250_000, members: 1024 } as const;
/** Members of a message, and elements of a list in it, beyond which it is not looked at. */
const MOST_MEMBERS = 128;

/** Refuses what would take long to check member by member: a list of a million steps, say. */
function checkSize(json: unknown): void {
  if (typeof json !== "object" || json === null) return;
  const members = Object.entries(json);
  const most = (name: string) => name === "voice" ? MOST_VOICE_NUMBERS : MOST_MEMBERS;
  const large = members.length > MOST_MEMBERS
    ? "the message"
    : members.find(([name, value]) => Array.isArray(value) && value.length > most(name))?.[0];
  if (large === undefined || large === "id") return; // a mark's id may be anything
  throw new CpcError(
    "invalid_message",
    `message not understood: ${large} may have up to ${most(large)} members`,
  );
}
