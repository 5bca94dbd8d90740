/** Progress of `deno task train`. */
import { terminalBar } from "../progress.ts";

/** A bar of decoded recordings on a terminal. */
export function showDecoding(): (done: number, total: number) => void {
  const bar = terminalBar("decoding {bar} {value}/{total}");
  if (!bar) return () => {};
  return (done, total) => {
    if (done === 1) bar.start(total, 0);
    bar.update(done);
    if (done === total) bar.stop();
  };
}

/** A bar of steps on a terminal, otherwise a line now and then. */
export function showSteps(total: number): (step: number, line: string) => void {
  const bar = terminalBar("{bar} {value}/{total} {eta_formatted} {line}");
  if (!bar) return (_, line) => line && console.error(line);
  let last = "";
  return (step, line) => {
    if (!bar.isActive) bar.start(total, step, { line: "" });
    last = line || last;
    bar.update(step, { line: last });
    if (step === total) bar.stop();
  };
}
