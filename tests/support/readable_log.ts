/** A log that a test reads. */
import { Log } from "../../log.ts";

/** A log and, parsed, the lines that were written to it so far. */
export function readableLog(): { log: Log; lines: () => Record<string, unknown>[] } {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line), takeLost: () => 0 };
  const log = new Log("info", { sink: { ...sink, flush: () => Promise.resolve() } });
  return { log, lines: () => lines.map((line) => JSON.parse(line)) };
}
