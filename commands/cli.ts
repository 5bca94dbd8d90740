/** Shared by every `deno task`: help, errors and exit status. */
import {
  environmentName,
  flagOf,
  type Setting,
  type Settings,
  type Values,
} from "../config/setting.ts";
import { type Environment, readSettings } from "../config/read.ts";
import { CpcError, type ErrorCode, UsageError } from "../errors.ts";

/** A command, as its user sees it. */
export interface Command<Table extends Settings = Settings> {
  /** Name of the task in deno.json. */
  readonly name: string;
  /** What it does, in one sentence. */
  readonly about: string;
  /** Its words and flags after the name. */
  readonly usage: string;
  readonly settings: Table;
  /** Whether it takes words besides flags, and what they are. */
  readonly operands?: string;
  /** Further paragraphs, at the end of its help. */
  readonly notes?: readonly string[];
}

/** Where a command writes, and its environment. */
export interface Io {
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly environment: Environment;
}

const CONSOLE: Io = {
  print: (text) => console.log(text),
  complain: (text) => console.error(text),
  environment: (name) => Deno.env.get(name),
};

/** Codes of errors that the command line causes. */
const USAGE_CODES: readonly ErrorCode[] = ["invalid_option", "model_not_found", "weights_invalid"];
/** Errors of these classes are bugs in the program, so they are shown with their stack. */
const MISTAKES = [TypeError, RangeError, ReferenceError, SyntaxError];

const COLUMNS = 100;
const PRECEDENCE =
  "A flag wins over its environment variable. The variable of a repeatable flag is a comma list.";

/**
 * Runs a command. Prints help, or errors as one line.
 *
 * @param work does the work; may resolve to an exit status
 * @returns the exit status: 0, 1 for a failure at run time, 2 for wrong usage
 */
export async function runCommand<Table extends Settings>(
  command: Command<Table>,
  work: (
    values: Values<Table>,
    operands: readonly string[],
    io: Io,
  ) => Promise<number | void> | number | void,
  { args, io = CONSOLE }: { args: readonly string[]; io?: Io },
): Promise<number> {
  try {
    const given = readSettings(command.settings, {
      args,
      environment: io.environment,
      operands: command.operands !== undefined,
    });
    if (given) return await work(given.values, given.positionals, io) ?? 0;
    io.print(helpOf(command));
    return 0;
  } catch (error) {
    const isMistake = MISTAKES.some((kind) => error instanceof kind);
    const message = !(error instanceof Error) ? error : isMistake ? error.stack : error.message;
    io.complain(`deno task ${command.name}: ${message}`);
    return isUsage(error) ? 2 : 1;
  }
}

function isUsage(error: unknown): boolean {
  return error instanceof UsageError ||
    (error instanceof CpcError && USAGE_CODES.includes(error.code));
}

/** The text of `--help`. */
export function helpOf({ name, about, usage, operands, settings, notes = [] }: Command): string {
  const rows = Object.entries(settings).map(([key, setting]) => ({
    left: written(key, setting),
    text: `${setting.help} [${detailsOf(key, setting)}]`,
  }));
  rows.push({ left: "--help", text: "show this text" });
  if (operands) rows.unshift({ left: usage.replace(/ .*/, ""), text: operands });
  const width = Math.max(...rows.map(({ left }) => left.length)) + 4;
  const lines = rows.map(({ left, text }) =>
    wrapped(text, COLUMNS - width).map((line, i) => (i ? "" : `  ${left}`).padEnd(width) + line)
  );
  return [
    ...wrapped(about, COLUMNS),
    "",
    `usage: deno task ${name} ${usage}`.trimEnd(),
    "",
    ...lines.flat(),
    "",
    ...notes.flatMap((note) => [...note.split("\n").flatMap((line) => wrapped(line, COLUMNS)), ""]),
    ...Object.keys(settings).length ? [PRECEDENCE] : [],
  ].join("\n");
}

/** A setting as written on a command line. */
export function written(name: string, setting: Setting): string {
  return `--${flagOf(name, setting)}${setting.value ? ` ${setting.value}` : ""}`;
}

/** The default of a setting in words; undefined if there is none. */
export function defaultOf({ words, fallback, unit }: Setting): string | undefined {
  return words ?? (fallback && unit ? `${fallback} ${unit}` : fallback);
}

function detailsOf(name: string, setting: Setting): string {
  const fallback = defaultOf(setting);
  return [
    setting.range,
    fallback && `default: ${fallback}`,
    setting.repeatable && "repeatable",
    environmentName(name, setting),
  ].filter(Boolean).join("; ");
}

/** Lines of up to `columns` characters; a longer word has a line of its own. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= columns) {
      lines[lines.length - 1] = `${line} ${word}`;
    } else lines.push(word);
  }
  return lines;
}
