/** `deno task convert` in tests. */
import { convert } from "../../commands/convert.ts";

/** What the command gave. */
export interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `deno task convert`. */
export async function runConvert(
  args: string[],
  environment: Record<string, string> = {},
): Promise<Run> {
  const out: string[] = [];
  const err: string[] = [];
  const status = await convert(args, {
    print: (text) => out.push(text),
    complain: (text) => err.push(text),
    environment: (name) => environment[name],
  });
  return { status, out: out.join("\n"), err: err.join("\n") };
}

/** Runs a test with a folder of its own. */
export function inFolder(name: string, test: (folder: string) => Promise<void>) {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await test(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
