/** Runs tests up to the first that fails, in a group of processes that can be ended as one. */
import process from "node:process";

/** Most seconds of computing: an endless loop uses them up, a busy machine does not. */
const COMPUTING_S = 120;

/** How tests went. */
export type Outcome =
  | { readonly passed: true }
  | { readonly passed: false; readonly by: string };

/**
 * Runs test files in the order in which they are named. A test counts as failed if it fails twice,
 * so that one which fails now and then kills nothing.
 *
 * @param options `flags`: of `deno test`; `timeoutS`: most seconds for one test; `stop`: ends the
 *   run, and what its tests started
 * @throws the reason of `stop`
 */
export async function runTests(
  paths: readonly string[],
  { cwd, flags, timeoutS, stop }: {
    cwd: string;
    flags: readonly string[];
    timeoutS: number;
    stop: AbortSignal;
  },
): Promise<Outcome> {
  stop.throwIfAborted();
  const test = ["test", ...flags, "--no-check", "--fail-fast", "--retry=1", "--reporter=tap"];
  const child = new Deno.Command("sh", {
    args: ["-c", `ulimit -t ${COMPUTING_S} && exec "$@"`, "sh", Deno.execPath(), ...test, ...paths],
    cwd,
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let hangs = false;
  const end = () => process.kill(-child.pid, "SIGKILL");
  const hung = () => {
    hangs = true;
    end();
  };
  stop.addEventListener("abort", end);
  let timer = setTimeout(hung, timeoutS * 1000);
  let results = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    clearTimeout(timer);
    timer = setTimeout(hung, timeoutS * 1000);
    results += text;
  }
  const { success, code } = await child.status;
  clearTimeout(timer);
  stop.removeEventListener("abort", end);
  stop.throwIfAborted();
  if (success) return { passed: true };
  if (hangs) return { passed: false, by: `no test ended for ${timeoutS} s` };
  const [, failed] = /^not ok \d+ - (.*)$/m.exec(results) ?? [];
  return { passed: false, by: failed ?? `deno test ended with ${code}` };
}
