/** Progress bars on a terminal. */
import process from "node:process";
import cliProgress from "cli-progress";

/** A bar on standard error; undefined if that is not a terminal. */
export function terminalBar(format: string): cliProgress.SingleBar | undefined {
  if (!Deno.stderr.isTerminal()) return undefined;
  return new cliProgress.SingleBar({ format, stream: process.stderr });
}
