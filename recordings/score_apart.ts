/** Scores a batch on a thread of its own, since live streams share the main one. */
import { CpcError } from "../errors.ts";
import type { ObjectiveFigures } from "../model/objective.ts";
import { startThread, type ThreadRights } from "../threads.ts";
import type { ScoreRequest } from "./score_worker.ts";

/** It is handed all that it needs. */
export const SCORE_RIGHTS: ThreadRights = "none";

/**
 * The figures of one network's windows. Their rows are handed over.
 *
 * @param signal aborting it ends the thread
 * @throws the signal's reason; {CpcError} `internal` when the thread fails, `overloaded` when
 *   it cannot be started
 */
export async function scoreApart(
  request: ScoreRequest,
  signal?: AbortSignal,
): Promise<ObjectiveFigures> {
  signal?.throwIfAborted();
  const worker = startThread(new URL("./score_worker.ts", import.meta.url), SCORE_RIGHTS);
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
