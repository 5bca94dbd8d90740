/** The settings in force, for people: what each is, and where it came from. */
import { type Environment, type Written, writtenSettings } from "./read.ts";
import { flagOf, type Setting, type Settings } from "./setting.ts";

/** A value, as JSON has it. */
export type ShownValue = string | number | boolean | readonly string[] | null;

/** A setting in force. */
export interface SettingInForce {
  readonly value: ShownValue;
  readonly from: Written["from"];
  /** What was given, where something else is in force. */
  readonly given?: ShownValue;
}

/**
 * Every setting of a table by its flag, without secrets.
 *
 * @param options `inForce`: what became of some, by name: of those whose default depends on the
 *   machine, or that were bounded by others
 */
export function settingsInForce(table: Settings, { args, environment, inForce }: {
  args: readonly string[];
  environment: Environment;
  inForce: Readonly<Record<string, ShownValue>>;
}): Record<string, SettingInForce> {
  const written = Object.entries(writtenSettings(table, { args, environment }));
  return Object.fromEntries(written.map(([name, { texts, from }]) => {
    const setting = table[name]!; // they have the same names
    const flag = flagOf(name, setting);
    const given = shown(setting, { texts, flag });
    const value = inForce[name] ?? given;
    return [flag, { value, from, ...(given !== null && given !== value && { given }) }];
  }));
}

function shown(
  setting: Setting,
  { texts, flag }: { texts: readonly string[]; flag: string },
): ShownValue {
  const { masked = (text) => text, repeatable, read } = setting;
  if (repeatable) return texts.map(masked);
  const value = read(texts, flag);
  if (typeof value === "number" || typeof value === "boolean") return value;
  return texts[0] === undefined ? null : masked(texts[0]);
}
