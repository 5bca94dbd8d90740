/** A thread that works without a pause and listens in between, for listen_test.ts. */
import { listen } from "../../../inference/listen.ts";
import { POLICY } from "../../../inference/worker/scheduler.ts";

/** Memory of both threads. */
export interface Counts {
  /** By message: 1 once it is sent. */
  readonly sent: Int32Array;
  /** How many were posted, each counted before; undefined where nobody counts. */
  readonly posted?: Int32Array;
}

declare const self: DedicatedWorkerGlobalScope;
interface DedicatedWorkerGlobalScope {
  onmessage: ((event: MessageEvent<Counts>) => void) | null;
  postMessage(message: number | "working"): void;
}

const WORK_MS = 0.2;
/** After so many pieces of work too late, a message counts as not heard. */
const MOST_LATE = 40;
let heard = 0;

self.onmessage = async ({ data: { sent, posted } }) => {
  self.onmessage = () => void heard++;
  const isOnItsWay = posted && (() => Atomics.load(posted, 0) !== heard);
  self.postMessage("working");
  for (let answered = 0; answered < sent.length; answered++) {
    let late = 0; // pieces of work between the sending of a message and its coming
    for (;;) {
      const wasSent = Atomics.load(sent, answered) === 1;
      const started = performance.now();
      while (performance.now() - started < WORK_MS);
      await listen(POLICY.listeningTurns, isOnItsWay);
      if (heard > answered || late > MOST_LATE) break;
      if (wasSent) late++;
    }
    self.postMessage(late);
  }
};
