/** Work that a signal stops in an orderly way. */
import process from "node:process";
import { STOP_SIGNALS } from "../signals.ts";

/** Does work, which gets a signal that aborts when the process is asked to stop. */
export async function untilSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  try {
    return await work(stop.signal);
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}
