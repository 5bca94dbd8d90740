/**
 * Runs one of our programs in a process of its own, so that a crash or hang does not affect this
 * one.
 */

/**
 * Permissions of such a process: what an engine needs to load and compute. (yaml reads LOG_TOKENS
 * and LOG_STREAM.)
 */
const PERMISSIONS = [
  "--allow-read",
  "--allow-env=ORT_*,TF_*,NVIDIA_TF32_OVERRIDE,LOG_TOKENS,LOG_STREAM",
  "--allow-ffi",
];

/**
 * Runs `module` with arguments and resolves to the JSON value on the last line of its standard
 * output.
 *
 * @param options `boundMs`: time after which it is stopped
 * @throws {Error} in one line, if it fails, is stopped, or prints nothing
 */
export async function isolated(
  module: URL,
  args: readonly string[],
  { boundMs }: { boundMs: number },
): Promise<unknown> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...PERMISSIONS, module.href, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stopped = false;
  const timer = setTimeout(() => {
    stopped = true;
    child.kill("SIGKILL");
  }, boundMs);
  try {
    const { success, code, signal, stdout, stderr } = await child.output();
    if (stopped) throw new Error(`it did not answer within ${boundMs / 1000} s and was stopped`);
    if (signal) throw new Error(`it crashed with ${signal}${saying(stderr)}`);
    if (!success) throw new Error(`it ended with status ${code}${saying(stderr)}`);
    return JSON.parse(lastLine(stdout) ?? "null");
  } finally {
    clearTimeout(timer);
  }
}

function saying(stderr: Uint8Array): string {
  const line = lastLine(stderr);
  return line === undefined ? "" : `, saying: ${line.slice(0, 200)}`;
}

function lastLine(output: Uint8Array): string | undefined {
  return new TextDecoder().decode(output).split("\n").findLast((line) => line.trim() !== "")
    ?.trim();
}
