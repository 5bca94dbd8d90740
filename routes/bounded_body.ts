/** Reads a request's body piece by piece: up to a bound, at a least rate, in turns with others. */
import type { Context } from "hono";
import { CpcError } from "../errors.ts";
import { Pace } from "./pace.ts";
import { requestTurns } from "./turns.ts";

/** Most bytes of a piece: what its reader does with it takes a few milliseconds at the most. */
const PIECE_BYTES = 64 * 1024;

/** How a body is read. */
export interface BodyBounds {
  readonly maxBytes: number;
  /** Longest pause of the sender. */
  readonly stallMs: number;
  /** The slowest that it may send over longer times. */
  readonly bytesPerS: number;
  /** Aborting it ends the reading with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * The body in pieces of {@linkcode PIECE_BYTES} at the most. Whoever stops reading ends the
 * transfer.
 *
 * @throws {CpcError} `too_large`; `slow_sender`; `invalid_message` if it breaks off
 */
export async function* bodyPieces(
  c: Context,
  { maxBytes, stallMs, bytesPerS, signal }: BodyBounds,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new CpcError(
      "too_large",
      `a body of this type may have up to ${maxBytes} bytes; send recordings one by one`,
    );
  const declared = c.req.header("content-length") ?? "";
  if (/^\d{1,15}$/.test(declared) && Number(declared) > maxBytes) throw tooLarge();
  const reader = c.req.raw.body?.getReader();
  if (!reader) return;
  const pace = new Pace({ stallMs, bytesPerS });
  let length = 0;
  try {
    for (;;) {
      const startedMs = performance.now();
      const { value, done } = await withinPace(reader.read(), { pace, bytesPerS, signal });
      if (done) return;
      pace.waited(performance.now() - startedMs, value.length);
      length += value.length;
      if (length > maxBytes) throw tooLarge();
      for (let at = 0; at < value.length; at += PIECE_BYTES) {
        await requestTurns.next();
        yield value.subarray(at, at + PIECE_BYTES);
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it has ended, or broken off
  }
}

/** What a sender sends next, while there is patience with it. */
function withinPace<T>(
  reading: Promise<T>,
  { pace, bytesPerS, signal }: { pace: Pace; bytesPerS: number; signal?: AbortSignal },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    const abort = () => end(() => reject(signal?.reason));
    const timer = setTimeout(() => {
      const why = `the body came too slowly: it must come at ${bytesPerS} bytes a second or faster`;
      end(() => reject(new CpcError("slow_sender", why)));
    }, pace.leftMs);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    reading.then(
      (value) => end(() => resolve(value)),
      (cause) =>
        end(() =>
          reject(new CpcError("invalid_message", "the body broke off before its end", { cause }))
        ),
    );
  });
}
