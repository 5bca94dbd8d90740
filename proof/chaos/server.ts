/** A server as a child process that is to be hurt. */
import { taskWords } from "../../bench/task_words.ts";

/** A running child. */
export interface Child {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Its exit status, once it has ended. */
  readonly ended: Promise<Deno.CommandStatus>;
  kill(signal: Deno.Signal): void;
}

/** How it is started. */
export interface Start {
  readonly flags?: readonly string[];
  /** Another port than a free one. */
  readonly port?: number;
  /** Where its log goes; default: nowhere. */
  readonly log?: string;
  /** A shell script that runs before it in the same process, such as `ulimit -n 300`. */
  readonly prelude?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const START_MS = 60_000;

/** Starts a server as `deno task start` does. */
export async function startChild(
  model: string,
  { flags = [], port = 0, log = "/dev/null", prelude = ":", environment = {} }: Start = {},
): Promise<Child> {
  const args = await taskWords("start");
  const server = [Deno.execPath(), ...args, "--model", model, "--port", String(port), ...flags];
  const child = new Deno.Command("sh", {
    args: ["-c", `${prelude}; exec "$@" 2>"$0"`, log, ...server],
    cwd: new URL("../../", import.meta.url).pathname,
    env: { ...environment },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const late = setTimeout(() => child.kill("SIGKILL"), START_MS);
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the server ended before it listened: ${text}`);
    text += value;
  }
  clearTimeout(late);
  const url = /listening on (\S+)/.exec(text)?.[1];
  if (!url) throw new Error(`unexpected first line: ${text}`);
  const ended = (async () => {
    while (!(await reader.read()).done);
    return await child.status;
  })();
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid,
    ended,
    kill(signal) {
      try {
        child.kill(signal);
      } catch {
        // it has ended
      }
    },
  };
}

/** Ends a child, hurt or not. */
export async function stopChild(child: Child): Promise<void> {
  child.kill("SIGKILL");
  await child.ended;
}
