/**
 * Settings, and tables of them by name. The name determines the flag and the environment variable:
 * `idleTimeoutS` is `--idle-timeout` and `CPC_IDLE_TIMEOUT`.
 */

/** One setting, whose value is a `T`. */
export interface Setting<T = unknown> {
  /** Placeholder for its value in help, such as `SECONDS`; absent for yes or no. */
  readonly value?: string;
  readonly help: string;
  /** The default, as written on a command line. */
  readonly fallback?: string;
  /** The default in words, if it is not a fixed value. */
  readonly words?: string;
  /** What it takes, as in “takes a whole number from 1 to 256”. */
  readonly takes: string;
  /** The range of a number. */
  readonly range?: string;
  /** Whether the flag may be repeated; the environment variable is then a comma list. */
  readonly repeatable?: true;
  /** Prefix of the environment variable. */
  readonly prefix?: string;
  /** The member of `ready.limits` that states it to clients. */
  readonly told?: string;
  /** What a client sees beyond it, for docs/limits.md. */
  readonly beyond?: string;
  /** Shows its text without what is secret in it; absent where nothing is. */
  readonly masked?: (text: string) => string;
  /** The unit of a whole number. */
  readonly unit?: "s" | "bytes";
  /**
   * Reads the given texts: one, several for a repeatable setting, or none.
   *
   * @throws {RangeError} whose message continues after the flag: `takes …, got …`
   */
  readonly read: (texts: readonly string[], flag: string) => T;
}

/** Settings by name. */
export type Settings = Readonly<Record<string, Setting>>;

/** The values of a table of settings. */
export type Values<Table extends Settings> = {
  readonly [Name in keyof Table]: Table[Name] extends Setting<infer T> ? T : never;
};

/** The same settings, with environment variables that begin with `prefix`. */
export function twinned<Table extends Settings>(prefix: string, table: Table): Table {
  return Object.fromEntries(
    Object.entries(table).map(([name, setting]) => [name, { ...setting, prefix }]),
  ) as Table;
}

/**
 * The flag of a setting: its name without the unit `S` for seconds, in the singular if it is
 * repeatable.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { flagOf } from "./setting.ts";
 *
 * assert.equal(flagOf("idleTimeoutS", {}), "idle-timeout");
 * ```
 */
export function flagOf(name: string, { repeatable }: Pick<Setting, "repeatable">): string {
  const stem = name.replace(repeatable ? /s$/ : /S$/, "");
  return stem.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The environment variable of a setting. */
export function environmentName(name: string, setting: Setting): string {
  const { prefix = "CPC_" } = setting;
  return prefix + flagOf(name, setting).toUpperCase().replaceAll("-", "_");
}
