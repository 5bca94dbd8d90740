/** A body that is computed while it is read, and that ends whatever the reader does. */
import { CpcError } from "../errors.ts";

/**
 * A response body.
 *
 * @param pieces the pieces to send, in order; ended with the body
 * @param options `stallMs`: how long a reader may take for a piece before the body breaks off;
 *   `signal`: aborting it ends the body; `onEnd`: called once, with the error if there was one
 */
export function answerStream(
  pieces: AsyncIterable<Uint8Array>,
  { stallMs, signal, onEnd }: {
    stallMs: number;
    signal?: AbortSignal;
    onEnd: (error?: unknown) => void;
  },
): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
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
  const abort = () => end();
  return new ReadableStream<Uint8Array>({
    start(controller) {
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) abort();
      else timer = setTimeout(() => stall(controller), stallMs);
    },
    async pull(controller) {
      clearTimeout(timer);
      try {
        const { value, done } = await iterator.next();
        if (over) return;
        if (done) {
          end();
          return controller.close();
        }
        timer = setTimeout(() => stall(controller), stallMs);
        controller.enqueue(value);
      } catch (error) {
        end(error);
        controller.error(error);
      }
    },
    cancel: () => end(),
  }, { highWaterMark: 0 });

  function stall(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const error = new CpcError("slow_reader", `the answer was not read for ${stallMs / 1000} s`);
    end(error);
    controller.error(error);
  }
}
