/**
 * The part of a Dockerfile's language that deploy/Dockerfile uses, and its list of left-out files.
 */

/** What one instruction says. */
export interface Instruction {
  readonly name: string;
  /** What follows the name, on one line. */
  readonly text: string;
}

/** What lies between two `FROM`s. */
export interface Stage {
  readonly name: string;
  /** An image, or an earlier stage. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** @throws {Error} for what is not understood */
export function stagesOf(dockerfile: string): Stage[] {
  const text = dockerfile.replaceAll(/^\s*#.*\n/gm, "").replaceAll(/\\\n\s*/g, "");
  const args = new Map<string, string>();
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const line of text.split("\n").filter((line) => line.trim() !== "")) {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === undefined || rest === undefined) throw new Error(`no instruction: ${line}`);
    const filled = rest.replaceAll(/\$\{(\w+)\}/g, (whole, arg) => args.get(arg) ?? whole);
    if (name === "ARG") {
      const [arg, value] = filled.split("=");
      args.set(arg!, value ?? "");
    } else if (name === "FROM") {
      const [, from, as] = /^(\S+) AS (\S+)$/.exec(filled) ?? [];
      if (from === undefined || as === undefined) throw new Error(`not "FROM x AS y": ${line}`);
      stages.push({ name: as, from, instructions: [] });
    } else {
      const stage = stages.at(-1);
      if (!stage) throw new Error(`before the first FROM: ${line}`);
      stage.instructions.push({ name, text: filled });
    }
  }
  return stages;
}

/** The variables of `ENV A=1 B=2`. */
export function variablesOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(/\s+/).map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new Error(`not NAME=VALUE: ${pair}`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** A command in JSON form, as `ENTRYPOINT` and `CMD` have it. */
export function commandOf(text: string): string[] {
  const parts: unknown = JSON.parse(text);
  if (Array.isArray(parts) && parts.every((part) => typeof part === "string")) return parts;
  throw new Error(`not a list of words: ${text}`);
}

/** Whether a file belongs to the context: paths, the last rule that fits it counts. */
export function contextFilter(dockerignore: string): (path: string) => boolean {
  const rules = dockerignore.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ takes: line.startsWith("!"), path: line.replace(/^!/, "") }));
  if (rules.some(({ path }) => /[*?[]/.test(path))) throw new Error("patterns are not understood");
  return (path) =>
    rules.findLast((rule) => path === rule.path || path.startsWith(`${rule.path}/`))?.takes ?? true;
}
