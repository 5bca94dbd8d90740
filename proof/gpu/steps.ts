/**
 * Steps of a long run of programs: one that fails, hangs or crashes is named, and the next begins.
 */

/** What became of a step. */
export interface StepOutcome {
  readonly name: string;
  readonly seconds: number;
  /** Why it failed; undefined when it did not. */
  readonly failed?: string;
}

/** The steps so far. */
export class Steps {
  readonly outcomes: StepOutcome[] = [];
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void = console.log) {
    this.#print = print;
  }

  /** Takes a step. @returns undefined when it failed */
  async take<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
    this.#print(`\n== ${name}`);
    const started = performance.now();
    const ended = (failed?: string) => {
      const seconds = Math.round((performance.now() - started) / 1000);
      this.outcomes.push({ name, seconds, ...(failed !== undefined && { failed }) });
      this.#print(`== ${name}: ${failed === undefined ? "" : `FAILED: ${failed}, `}${seconds} s`);
    };
    try {
      const result = await work();
      ended();
      return result;
    } catch (error) {
      ended((error as Error).message);
      return undefined;
    }
  }

  /** Whether one failed. */
  get anyFailed(): boolean {
    return this.outcomes.some(({ failed }) => failed !== undefined);
  }
}

/**
 * Runs a program to its end in the project's root.
 *
 * @param options `minutes`: how long it may take; `most`: the largest exit status that is an
 *   answer; `shows`: whether what it prints is shown, too
 * @returns its standard output
 * @throws {Error} for another exit status, or when it takes too long
 */
export async function run(
  program: string,
  { args, env = {}, minutes = 30, most = 0, shows = true }: {
    args: readonly string[];
    env?: Record<string, string>;
    minutes?: number;
    most?: number;
    shows?: boolean;
  },
): Promise<string> {
  const signal = AbortSignal.timeout(minutes * 60_000);
  const child = new Deno.Command(program, {
    args: [...args],
    cwd: new URL("../../", import.meta.url).pathname,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal,
  }).spawn();
  let said = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += part;
    if (shows) await Deno.stdout.write(new TextEncoder().encode(part));
  }
  const { code } = await child.status;
  if (signal.aborted) throw new Error(`it took more than ${minutes} min and was ended`);
  if (code > most) throw new Error(`exit status ${code}`);
  return said;
}

/** Runs a task of the project. */
export function runTask(
  name: string,
  options: Parameters<typeof run>[1],
): Promise<string> {
  return run(Deno.execPath(), { ...options, args: ["task", "--quiet", name, ...options.args] });
}
