/** What `deno task eval` shows while it works. */
import { terminalBar } from "../progress.ts";

/** A bar on a terminal, else a line for each tenth; and how long it took. */
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

/** A line beside the tables, which have standard output. */
export function note(line: string): void {
  console.error(line);
}
