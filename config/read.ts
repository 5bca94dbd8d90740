/** Reads a command line and its environment by a table of settings. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "../errors.ts";
import { environmentName, flagOf, type Setting, type Settings, type Values } from "./setting.ts";

/** The value of an environment variable, such as `Deno.env.get`. */
export type Environment = (name: string) => string | undefined;

/** A parsed command line. */
export interface Given<Table extends Settings> {
  readonly values: Values<Table>;
  readonly positionals: readonly string[];
}

/**
 * Reads flags, then environment, then defaults.
 *
 * @param options `operands`: whether the command takes words other than flags
 * @returns undefined if help was requested
 * @throws {UsageError} naming the flag, its bound and the given value
 */
export function readSettings<Table extends Settings>(
  table: Table,
  { args, environment, operands = false }: {
    args: readonly string[];
    environment: Environment;
    operands?: boolean;
  },
): Given<Table> | undefined {
  const { values: given, positionals } = parsed(table, { args, operands });
  if (given.help) return undefined;
  const values = Object.fromEntries(
    Object.entries(table).map(([name, setting]) => {
      const flag = flagOf(name, setting);
      const variable = environmentName(name, setting);
      const written = [given[flag] ?? []].flat().map(String);
      const fromEnvironment = written.length === 0 ? environment(variable) : undefined;
      const texts = fromEnvironment ? split(fromEnvironment, setting) : written;
      if (texts.length === 0 && setting.fallback !== undefined) texts.push(setting.fallback);
      try {
        return [name, setting.read(texts, flag)];
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        const place = fromEnvironment ? ` in ${variable}` : "";
        throw new UsageError(`--${flag} ${error.message}${place}`);
      }
    }),
  );
  return { values: values as Values<Table>, positionals };
}

function split(text: string, { repeatable }: Setting): string[] {
  return repeatable ? text.split(",").map((part) => part.trim()).filter(Boolean) : [text];
}

/** The given flags, by their names on the command line. */
function parsed(
  table: Settings,
  { args, operands }: { args: readonly string[]; operands: boolean },
): { values: Record<string, unknown>; positionals: string[] } {
  const options: NonNullable<ParseArgsConfig["options"]> = {
    help: { type: "boolean", short: "h" },
  };
  for (const [name, setting] of Object.entries(table)) {
    const { value, repeatable: multiple = false } = setting;
    options[flagOf(name, setting)] = { type: value === undefined ? "boolean" : "string", multiple };
  }
  try {
    return parseArgs({ args: [...args], options, allowPositionals: operands });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`${error.message.split(/\. |\.?\n/)[0]}; --help lists the flags`);
  }
}
