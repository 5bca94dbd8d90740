/** Tasks of deno.json as programs. */
const ROOT = new URL("../../", import.meta.url).pathname;

/** Runs a task of deno.json to its end. */
export async function task(
  name: string,
  args: string[],
  { env = {}, stdin }: { env?: Record<string, string>; stdin?: Uint8Array } = {},
) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", name, ...args],
    cwd: ROOT,
    env,
    stdin: stdin ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin) {
    const writer = child.stdin.getWriter();
    await writer.write(stdin);
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  return {
    code,
    stdout,
    text: new TextDecoder().decode(stdout),
    errors: new TextDecoder().decode(stderr),
  };
}

/** `deno task doctor`, without colours. */
export async function doctor(args: string[], env: Record<string, string> = {}) {
  const { code, text, errors } = await task("doctor", args, { env: { NO_COLOR: "1", ...env } });
  return { code, stdout: text, stderr: errors };
}
