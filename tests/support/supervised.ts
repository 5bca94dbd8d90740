/** `deno task start --processes N` as a child process, with everything that it says. */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);
/** What ends later than this after a SIGTERM hangs. */
const HUNG_MS = 60_000;

/** A supervisor and its servers. */
export interface Supervisor {
  readonly url: string;
  readonly pid: number;
  /** Its folder for temporary files. */
  readonly folder: string;
  /** Its exit status, and all of its output. */
  readonly ended: Promise<{ code: number; stdout: string; stderr: string }>;
  kill(signal: Deno.Signal): void;
  /** What it has said on standard error so far. */
  readonly log: string;
}

/**
 * Starts it as `deno task start` does, on a free port, with some more environment; resolves once it
 * listens, or has ended.
 */
export async function startSupervisor(
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Supervisor> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const folder = await Deno.makeTempDir();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...String(tasks.start).split(" ").slice(1), "--port", "0", ...flags],
    cwd: ROOT.pathname,
    env: { TMPDIR: folder, ...environment },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const listening = Promise.withResolvers<void>();
  let [stdout, log] = ["", ""];
  const ended = (async () => {
    const [{ code }] = await Promise.all([
      child.status,
      (async () => {
        for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
          stdout += text;
          if (stdout.includes("\n")) listening.resolve();
        }
        listening.resolve();
      })(),
      (async () => {
        for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) log += text;
      })(),
    ]);
    return { code, stdout, stderr: log };
  })();
  await listening.promise;
  return {
    url: /listening on (\S+)/.exec(stdout)?.[1] ?? "",
    pid: child.pid,
    folder,
    ended,
    kill(signal) {
      try {
        child.kill(signal);
      } catch { /* it has ended */ }
    },
    get log() {
      return log;
    },
  };
}

/** Ends one by SIGTERM, with status 0; one that hangs is killed with its servers, and fails. */
export async function endSupervisor(supervisor: Supervisor): Supervisor["ended"] {
  supervisor.kill("SIGTERM");
  const hung = setTimeout(async () => {
    for (const pid of await childrenOf(supervisor.pid)) Deno.kill(pid, "SIGKILL");
    supervisor.kill("SIGKILL");
  }, HUNG_MS);
  const all = await supervisor.ended;
  clearTimeout(hung);
  assert.equal(all.code, 0, all.stderr);
  return all;
}

/** The ids of a process's children. */
export async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "pid=", "--ppid", `${pid}`] })
    .output();
  return new TextDecoder().decode(stdout).split("\n").map(Number).filter((pid) => pid > 0);
}

/** Whether a process is there and not a zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "stat=", "-p", `${pid}`] })
    .output();
  return /^[^Z\s]/.test(new TextDecoder().decode(stdout));
}
