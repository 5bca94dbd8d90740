/** Reads a command line and its environment by a table of settings. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "../errors.ts";
import { environmentName, flagOf, type Setting, type Settings, type Values } from "./setting.ts";

/** The value of an environment variable, such as `Deno.env.get`. */
export type Environment = (name: string) => string | undefined;

/** A setting as somebody wrote it. */
export interface Written {
  /** One text, several for a repeatable setting, or none where nothing was given. */
  readonly texts: readonly string[];
  readonly from: "flag" | "environment" | "default";
}

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
      const { texts, from } = writtenOf(name, setting, { given, environment });
      try {
        return [name, setting.read(texts, flag)];
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        const place = from === "environment" ? ` in ${environmentName(name, setting)}` : "";
        throw new UsageError(`--${flag} ${error.message}${place}`);
      }
    }),
  );
  return { values: values as Values<Table>, positionals };
}

/**
 * The same, as they were written.
 *
 * @throws {UsageError} for an unknown flag
 */
export function writtenSettings(
  table: Settings,
  { args, environment }: { args: readonly string[]; environment: Environment },
): Record<string, Written> {
  const { values: given } = parsed(table, { args, operands: false });
  return Object.fromEntries(
    Object.entries(table).map((
      [name, setting],
    ) => [name, writtenOf(name, setting, { given, environment })]),
  );
}

function writtenOf(
  name: string,
  setting: Setting,
  { given, environment }: { given: Record<string, unknown>; environment: Environment },
): Written {
  const flagged = [given[flagOf(name, setting)] ?? []].flat().map(String);
  if (flagged.length > 0) return { texts: flagged, from: "flag" };
  const variable = environment(environmentName(name, setting));
  const texts = variable ? split(variable, setting) : [];
  if (texts.length > 0) return { texts, from: "environment" };
  return { texts: setting.fallback === undefined ? [] : [setting.fallback], from: "default" };
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
    const [why = ""] = error.message.split(/\. |\.?\n/);
    const dashed = /(--[\w-]+).*ambiguous/.exec(why)?.[1]; // its value looks like a flag
    throw new UsageError(
      dashed === undefined
        ? `${why}; --help lists the flags`
        : `${dashed} has no value; one that begins with a dash goes as ${dashed}=-…`,
    );
  }
}
