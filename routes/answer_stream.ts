/** A body that is computed while it is read, and that ends whatever the reader does. */
import { CpcError } from "../errors.ts";
import { Pace } from "./pace.ts";
import { requestTurns } from "./turns.ts";

/**
 * A response body.
 *
 * @param pieces the pieces to send, in order; ended with the body
 * @param options `stallMs`, `bytesPerS`: how long a reader may pause, and how fast it must read
 *   over longer times, before the body breaks off; `signal`: aborting it ends the body; `onEnd`:
 *   called once, with the error if there was one
 */
export function answerStream(
  pieces: AsyncIterable<Uint8Array>,
  { stallMs, bytesPerS, signal, onEnd }: {
    stallMs: number;
    bytesPerS: number;
    signal?: AbortSignal;
    onEnd: (error?: unknown) => void;
  },
): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  const pace = new Pace({ stallMs, bytesPerS });
  let sent = { bytes: 0, atMs: performance.now() };
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const end = (error?: unknown) => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    if (over) return;
    over = true;
    onEnd(error);
    iterator.return?.().catch(() => {}); // an error at this point no longer matters
  };
  let abort = () => end();
  return new ReadableStream<Uint8Array>({
    start(controller) {
      abort = () => {
        const { reason } = signal!;
        if (reason instanceof CpcError) {
          end(reason);
          return controller.error(reason);
        }
        end(); // a client that has gone is no error: the adaptor would print one
        controller.close();
      };
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) abort();
      else timer = setTimeout(() => stall(controller), pace.leftMs);
    },
    async pull(controller) {
      clearTimeout(timer);
      pace.waited(performance.now() - sent.atMs, sent.bytes);
      try {
        await requestTurns.next();
        const { value, done } = await iterator.next();
        if (over) return;
        if (done) {
          end();
          return controller.close();
        }
        sent = { bytes: value.length, atMs: performance.now() };
        timer = setTimeout(() => stall(controller), pace.leftMs);
        controller.enqueue(value);
      } catch (error) {
        end(error);
        controller.error(error);
      }
    },
    cancel: () => end(),
  }, { highWaterMark: 0 });

  function stall(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const error = new CpcError(
      "slow_reader",
      `the answer was not read for ${
        stallMs / 1000
      } s, or more slowly than ${bytesPerS} bytes a second`,
    );
    end(error);
    controller.error(error);
  }
}
