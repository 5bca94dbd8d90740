/** What becomes of the model workers, for the log and the metrics. */
import type { PoolEvents } from "../inference/pool.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";

/** Tells the log and the metrics of each loss and each start. */
export function workerEvents({ log, metrics }: { log: Log; metrics: Metrics }): PoolEvents {
  return {
    workerLost: ({ error: { message: error }, restartMs, ...loss }) =>
      log.error("a model worker was lost", { ...loss, error, restart_ms: restartMs }),
    workerRestarted({ reason, lostMs }) {
      metrics.workerRestarted(reason);
      log.info("a model worker was started again", { reason, lost_ms: Math.round(lostMs) });
    },
    restartFailed: ({ error: { code, message: error }, restartMs }) =>
      log.error("a model worker cannot be started", { code, error, restart_ms: restartMs }),
    streamMoved: () => metrics.streamMoved(),
    stepRetried(error) {
      metrics.stepRetried();
      log.warn("a model step failed and was taken again, stream by stream", { error });
    },
  };
}
