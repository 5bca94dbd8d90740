/** Runs a program. @returns what it printed. @throws {Error} with what it said, if it fails */
export async function run(
  program: string,
  args: readonly string[],
  { environment }: { environment?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    ...(environment && { env: { ...environment }, clearEnv: true }),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (success) return text(stdout);
  throw new Error(`${program} ${args.join(" ")}\n${text(stdout)}${text(stderr)}`);
}
