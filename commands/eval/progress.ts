/** Progress of `deno task eval`. */
import { terminalBar } from "../progress.ts";

/** Shows a bar on a terminal, otherwise a line for each tenth; then the time it took. */
export async function progress<T>(
  what: string,
  work: (onProgress: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const bar = terminalBar(`{bar} {percentage} % ${what}`);
  let tenths = 0;
  try {
    return await work((done, total) => {
      if (done === 1) bar?.start(total, 0);
      bar?.update(done);
      if (bar || Math.floor(10 * done / total) === tenths) return;
      tenths = Math.floor(10 * done / total);
      if (tenths < 10) note(`${what}: ${10 * tenths} %`);
    });
  } finally {
    bar?.stop();
    note(`${what}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
}

/** Prints a line to standard error, since the tables go to standard output. */
export function note(line: string): void {
  console.error(line);
}
