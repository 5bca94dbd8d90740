/** The command line of `deno task eval`. */
import { parseArgs } from "node:util";
import {
  environmentName,
  parseStart,
  type ServerConfig,
  START_FLAGS,
} from "../../config/server.ts";
import { UsageError } from "../../errors.ts";
import { type Task, TASKS } from "../../evaluation/selection.ts";

const OPTIONS = {
  manifest: { value: "FILE", help: "recordings: a CSV file as docs/evaluation.md describes" },
  only: { value: "LIST", help: `comma list of ${TASKS.join(", ")} (default all)` },
  repetitions: {
    value: "N",
    help: "most recordings of one word by one speaker, for words and abx (default 4)",
  },
  out: {
    value: "DIR",
    help:
      "write evaluation.json and the charts there, and evaluation.md where no --page takes the tables",
  },
  page: {
    value: "FILE",
    help: "put the tables between the marks of this Markdown page; needs --out",
  },
  cache: { value: "DIR", help: "keep decoded recordings and features there for the next run" },
} as const;
const SHARED = ["model", "engine", "device", "precision", "workers"] as const;

/** The text of `--help`. */
export const HELP = `Evaluates frozen features on unseen speakers.

usage: deno task eval --model FOLDER… --manifest FILE [flags]

${
  [
    ...SHARED.map((
      name,
    ) => [
      `--${name} ${START_FLAGS[name].value}`,
      `${START_FLAGS[name].help} (${environmentName(name)})`,
    ]),
    ...Object.entries(OPTIONS).map((
      [name, { value, help }],
    ) => [`--${name} ${value}`, `${help} (${environmentName(name)})`]),
    ["--help", "this text"],
  ].map(([flag, help]) => `  ${flag.padEnd(18)} ${help}`).join("\n")
}

The tables go to standard output as Markdown, progress to standard error.`;

/** What the command is to do. */
export interface Options {
  readonly tasks: ReadonlySet<Task>;
  readonly manifest: string;
  readonly repetitions: number;
  readonly out?: string;
  readonly page?: string;
  readonly cache?: string;
  readonly config: ServerConfig;
}

/**
 * Reads flags and environment.
 *
 * @returns undefined when help was asked for
 * @throws {UsageError} naming the flag, its bound and what was given
 */
export function optionsOf(args: string[]): Options | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const text = (name: keyof typeof OPTIONS) =>
    values[name]?.toString() ?? (Deno.env.get(environmentName(name)) || undefined);
  const tasks = (text("only") ?? TASKS.join()).split(",").map((name) => {
    const task = TASKS.find((task) => task === name.trim());
    if (!task) {
      throw new UsageError(`--only takes ${TASKS.join(", ")}; got ${JSON.stringify(name)}`);
    }
    return task;
  });
  const manifest = text("manifest");
  if (!manifest) {
    throw new UsageError("--manifest FILE says which recordings to listen to; see --help");
  }
  const repetitions = Number(text("repetitions") ?? 4);
  if (!(Number.isInteger(repetitions) && repetitions >= 2)) {
    throw new UsageError(
      `--repetitions takes a whole number of 2 or more, got ${JSON.stringify(text("repetitions"))}`,
    );
  }
  const [out, page] = [text("out"), text("page")];
  if (page && !out) throw new UsageError("--page needs --out DIR for its charts");
  const shared = SHARED.flatMap((name) =>
    [values[name] ?? []].flat().map((value) => `--${name}=${value}`)
  );
  const shares = new Set<string>(SHARED.map(environmentName));
  const config = parseStart(
    shared,
    (name) => shares.has(name) ? Deno.env.get(name) : undefined,
  ) as ServerConfig;
  return { tasks: new Set(tasks), manifest, repetitions, out, page, cache: text("cache"), config };
}

function parse(args: string[]): Record<string, string | boolean | string[] | undefined> {
  const string = { type: "string" as const };
  try {
    return parseArgs({
      args,
      options: {
        ...Object.fromEntries([...Object.keys(OPTIONS), ...SHARED].map((name) => [name, string])),
        model: { type: "string", multiple: true },
        help: { type: "boolean" },
      },
    }).values as Record<string, string | boolean | string[] | undefined>;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\. |\.?\n/)[0]}; see --help`);
  }
}
