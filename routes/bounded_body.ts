/** Reads the bytes of a request's body, up to a bound, and accounts for them as they arrive. */
import type { Context } from "hono";
import { CpcError } from "../errors.ts";
import type { MemoryShare } from "../recordings/memory_budget.ts";

const FIRST_BODY_BYTES = 1024 * 1024;

/**
 * Reads a whole body.
 *
 * @param options `memory`: accounts for its bytes; `maxBytes`: most bytes
 * @throws {CpcError} `too_large`; `overloaded` if there is no memory for it; `invalid_message` if
 *   it breaks off
 */
export async function readBody(
  c: Context,
  { memory, maxBytes }: { memory?: MemoryShare; maxBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new CpcError(
      "too_large",
      `a body of this type may have up to ${maxBytes} bytes; send recordings one by one`,
    );
  const given = c.req.header("content-length") ?? "";
  const declared = /^\d{1,15}$/.test(given) ? Number(given) : 0;
  if (declared > maxBytes) throw tooLarge();
  // memory is taken for what arrives, not for what is announced
  const first = Math.min(declared, FIRST_BODY_BYTES);
  memory?.take(first);
  let buffer = new ArrayBuffer(first);
  let length = 0;
  try {
    for await (const part of c.req.raw.body ?? []) {
      if (length + part.length > maxBytes) throw tooLarge();
      if (length + part.length > buffer.byteLength) {
        const room = Math.max(
          length + part.length,
          Math.min(buffer.byteLength * 2, declared || maxBytes),
        );
        memory?.take(room - buffer.byteLength);
        buffer = buffer.transfer(room);
      }
      new Uint8Array(buffer).set(part, length);
      length += part.length;
    }
  } catch (error) {
    if (error instanceof CpcError) throw error;
    throw new CpcError("invalid_message", "the body broke off before its end", { cause: error });
  }
  return new Uint8Array(buffer, 0, length);
}
