/** Parts of README.md, docs/settings.md and docs/limits.md, from the settings and limits. */
import { environmentName, flagOf, type Setting } from "../../config/setting.ts";
import { LIMIT_TABLE } from "../../config/limits.ts";
import { SERVER_SETTINGS } from "../../config/settings.ts";
import { COMMANDS } from "../all.ts";
import { type Command, defaultOf, written } from "../cli.ts";

/** Most characters of a line, as in deno.json. */
const LINE = 100;

/** Part of a page, between two lines that name it. */
export interface Part {
  readonly page: string;
  readonly marks: readonly [string, string];
  readonly table: string;
}

/** All parts that `deno task docs:settings` writes. */
export function parts(): Part[] {
  return [
    partOf("README.md", "variables", COMMANDS.map(variablesOf).join("\n")),
    ...COMMANDS.map((command) =>
      partOf("docs/settings.md", `settings of ${command.name}`, settingsTable(command))
    ),
    partOf("docs/limits.md", "bounds of streams", streamsTable()),
    partOf("docs/limits.md", "other bounds", limitsTable()),
  ];
}

function partOf(page: string, name: string, table: string): Part {
  return { page, marks: [`<!-- begin: ${name} -->`, `<!-- end: ${name} -->`], table };
}

function settingsTable({ settings }: Command): string {
  return tableOf(
    ["flag", "environment", "default", "what"],
    Object.entries(settings).map(([name, setting]) => [
      code(written(name, setting)) + (setting.repeatable ? " (repeatable)" : ""),
      code(environmentName(name, setting)),
      shownDefault(setting),
      setting.help + (setting.range ? ` (${setting.range})` : ""),
    ]),
  );
}

/** An item of a list as `deno fmt` writes it: the variables of a command. */
function variablesOf({ name: command, settings }: Command): string {
  const names = Object.entries(settings).map(([name, setting]) =>
    code(environmentName(name, setting))
  );
  const lines = [`- ${code(command)}:`];
  for (const [n, name] of names.entries()) {
    const word = name + (n < names.length - 1 ? "," : "");
    if (`${lines.at(-1)} ${word}`.length <= LINE) lines[lines.length - 1] += ` ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.join("\n");
}

function streamsTable(): string {
  const told = Object.entries<Setting>(SERVER_SETTINGS).filter(([, { told }]) => told);
  return tableOf(
    ["flag", "in `ready.limits`", "default", "bounds", "beyond it"],
    told.map(([name, setting]) => [
      code(`--${flagOf(name, setting)}`),
      code(setting.told!),
      defaultOf(setting) ?? "",
      setting.help,
      setting.beyond ?? "",
    ]),
  );
}

function limitsTable(): string {
  return tableOf(
    ["`LIMITS`", "value", "bounds", "beyond it"],
    Object.entries(LIMIT_TABLE).map(([name, { value, help, beyond }]) => [
      code(name),
      amount(name, value),
      help,
      beyond,
    ]),
  );
}

function shownDefault(setting: Setting): string {
  const { words, fallback, unit } = setting;
  if (words === undefined && fallback !== undefined && !unit) return code(fallback);
  return defaultOf(setting) ?? "";
}

const SIZES = [[1024 ** 3, "GiB"], [1024 ** 2, "MiB"], [1024, "KiB"]] as const;

/** A limit with its unit, which its name ends in. */
function amount(name: string, value: number): string {
  if (name.endsWith("Bytes")) {
    const [size, unit] = SIZES.find(([size]) => value % size === 0) ?? [1, "bytes"];
    return `${value / size} ${unit}`;
  }
  if (name.endsWith("Ms")) return `${value / 1000} s`;
  if (!/(S|Seconds)$/.test(name)) return String(value);
  return value % 3600 === 0 ? `${value / 3600} h` : `${value} s`;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A Markdown table as `deno fmt` writes it: columns of one width. */
function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widthOf = (cell = "") => [...cell].length;
  const widths = head.map((_, column) => Math.max(...all.map((row) => widthOf(row[column]))));
  const line = (cells: readonly string[]) =>
    `| ${
      widths.map((width, i) => (cells[i] ?? "") + " ".repeat(width - widthOf(cells[i]))).join(" | ")
    } |`;
  const [first, ...others] = all.map(line);
  return [first, line(widths.map((width) => "-".repeat(width))), ...others].join("\n");
}
