/**
 * A setting, and tables of them by name. Flag and environment variable follow from the name:
 * `idleTimeoutS` is `--idle-timeout` and `CPC_IDLE_TIMEOUT`.
 */

/** One setting, `T` once it is read. */
export interface Setting<T = unknown> {
  /** What stands for its value in help, such as `SECONDS`; absent for yes or no. */
  readonly value?: string;
  readonly help: string;
  /** The default, as one would write it. */
  readonly fallback?: string;
  /** The default in words, where it is no fixed value. */
  readonly words?: string;
  /** What its text must be, as in “takes a whole number from 1 to 256”. */
  readonly takes: string;
  /** Of a number: from where to where. */
  readonly range?: string;
  /** Whether the flag may be repeated; the environment variable is a comma list then. */
  readonly repeatable?: true;
  /** Begins the environment variable. */
  readonly prefix?: string;
  /** The member of `ready.limits` that tells it to clients. */
  readonly told?: string;
  /** What a client meets beyond it, for docs/limits.md. */
  readonly beyond?: string;
  /** Of a whole number: what it counts. */
  readonly unit?: "s" | "bytes";
  /**
   * Reads what was given: one text, several of a repeatable setting, or none.
   *
   * @throws {RangeError} whose message goes on after the flag: `takes …, got …`
   */
  readonly read: (texts: readonly string[], flag: string) => T;
}

/** Settings by name. */
export type Settings = Readonly<Record<string, Setting>>;

/** What a table of settings is once it is read. */
export type Values<Table extends Settings> = {
  readonly [Name in keyof Table]: Table[Name] extends Setting<infer T> ? T : never;
};

/** The same settings, whose environment variables begin with `prefix`. */
export function twinned<Table extends Settings>(prefix: string, table: Table): Table {
  return Object.fromEntries(
    Object.entries(table).map(([name, setting]) => [name, { ...setting, prefix }]),
  ) as Table;
}

/**
 * The flag of a setting: its name without the unit `S` for seconds, in the singular where it is
 * given several times.
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
