/** A thread that works without a pause and listens in between, for listen_test.ts. */
import { listen } from "../../../inference/listen.ts";
import { POLICY } from "../../../inference/worker/scheduler.ts";

declare const self: DedicatedWorkerGlobalScope;
interface DedicatedWorkerGlobalScope {
  onmessage: ((event: MessageEvent<Int32Array>) => void) | null;
  postMessage(message: number | "working"): void;
}

const WORK_MS = 0.2;
let heard = 0;

self.onmessage = async ({ data: sent }) => {
  self.onmessage = () => void heard++;
  self.postMessage("working");
  for (let answered = 0; answered < sent.length; answered++) {
    let late = 0; // pieces of work between the sending of a message and its coming
    for (;;) {
      const wasSent = Atomics.load(sent, answered) === 1;
      const started = performance.now();
      while (performance.now() - started < WORK_MS);
      await listen(POLICY.listeningTurns);
      if (heard > answered) break;
      if (wasSent) late++;
    }
    self.postMessage(late);
  }
};
