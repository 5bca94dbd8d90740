/** Scores a batch on a thread of its own, since live streams share the main one. */
import { CpcError } from "../errors.ts";
import type { ObjectiveFigures } from "../model/objective.ts";
import type { ScoreRequest } from "./score_worker.ts";

/**
 * The figures of one network's windows. Their rows are handed over.
 *
 * @param signal aborting it ends the thread
 * @throws the signal's reason; {CpcError} `internal` when the thread fails
 */
export async function scoreApart(
  request: ScoreRequest,
  signal?: AbortSignal,
): Promise<ObjectiveFigures> {
  signal?.throwIfAborted();
  const worker = new Worker(new URL("./score_worker.ts", import.meta.url), {
    type: "module",
    deno: { permissions: "none" },
  });
  const { promise, resolve, reject } = Promise.withResolvers<ObjectiveFigures>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  worker.onmessage = ({ data }: MessageEvent<ObjectiveFigures>) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    const why = `the scoring broke down: ${event.message}`;
    reject(new CpcError("internal", why, { cause: event.error }));
  };
  try {
    const buffers = request.rows.flatMap((
      { latent, prediction },
    ) => [latent.buffer, prediction.buffer]);
    worker.postMessage(request, buffers as ArrayBuffer[]);
    return await promise;
  } finally {
    signal?.removeEventListener("abort", abort);
    worker.terminate();
  }
}
