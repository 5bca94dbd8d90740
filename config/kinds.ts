/** Kinds of settings: what each takes, and how its text is parsed. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { UsageError } from "../errors.ts";
import type { Setting } from "./setting.ts";

/** Options of every kind. */
interface Spec<T> {
  readonly value?: string;
  readonly help: string;
  readonly fallback?: T;
  readonly words?: string;
  readonly required?: true;
}

/** `T`, or also undefined if the setting is optional and has no default. */
type Read<T, S> = S extends { readonly fallback: unknown } | { readonly required: true } ? T
  : T | undefined;

/**
 * A setting of a custom kind.
 *
 * @param kind `takes`: describes its text; `accept`: returns its value, or undefined for any other
 *   text; `secret`: errors must not repeat the text, and this shows what may be shown of it
 */
export function custom<T, const S extends Spec<unknown>>(
  { required, fallback, value = "TEXT", ...spec }: S,
  kind: {
    takes: string;
    accept: (text: string, flag: string) => T | undefined;
    secret?: (text: string) => string;
  },
): Setting<Read<T, S>> {
  const read = ([text]: readonly string[], flag: string): T | undefined => {
    if (text === undefined) {
      if (required) throw new RangeError(`${value} is required: ${spec.help}`);
      return undefined;
    }
    const read = kind.accept(text, flag);
    if (read !== undefined) return read;
    throw new RangeError(
      kind.secret ? `takes ${kind.takes}` : `takes ${kind.takes}, got ${JSON.stringify(text)}`,
    );
  };
  return {
    ...spec,
    value,
    takes: kind.takes,
    ...(kind.secret && { masked: kind.secret }),
    ...(fallback === undefined ? {} : { fallback: String(fallback) }),
    read: read as Setting<Read<T, S>>["read"],
  };
}

/** Any text. */
export function text<const S extends Spec<string>>(spec: S): Setting<Read<string, S>> {
  return custom(spec, { takes: "text", accept: (text) => text });
}

/**
 * A whole number of `min` or more, up to `max`. With `told`, `ready.limits` states it to clients.
 */
export function whole<
  const S extends Spec<number> & {
    readonly min: number;
    readonly max?: number;
    readonly unit?: "s" | "bytes";
    readonly told?: string;
    readonly beyond?: string;
  },
>(spec: S): Setting<Read<number, S>> & { readonly told: S["told"] } {
  const { min, max, ...rest } = spec;
  const value = spec.value ?? (spec.unit === "s" ? "SECONDS" : spec.unit?.toUpperCase() ?? "N");
  const accept = (text: string) => {
    const number = Number(text);
    return /^\d+$/.test(text) && number >= min && number <= (max ?? Number.MAX_SAFE_INTEGER)
      ? number
      : undefined;
  };
  const range = max === undefined ? `${min} or more` : `${min} to ${max}`;
  const takes = `a whole number ${max === undefined ? "of" : "from"} ${range}`;
  return {
    ...custom<number, S>({ ...rest, value } as S, { takes, accept }),
    range,
    told: spec.told,
  };
}

/** One of several words. */
export function choice<
  const Word extends string,
  const S extends Spec<NoInfer<Word>>,
>(words: readonly Word[], spec: S): Setting<Read<Word, S>> {
  return custom(spec, {
    takes: oneOf(words),
    accept: (text) => words.find((word) => word === text),
  });
}

/** Several words, in one text with commas. */
export function choices<const Word extends string, const S extends Spec<string>>(
  words: readonly Word[],
  spec: S,
): Setting<Read<Word[], S>> {
  return custom({ value: "LIST", ...spec } as S, {
    takes: `a comma list of ${words.join(", ")}`,
    accept: (text) => {
      const found = text.split(",").map((part) => words.find((word) => word === part.trim()));
      return found.every((word) => word !== undefined) ? found : undefined;
    },
  });
}

/** Yes if the flag is given, or its variable is 1. */
export function yes(spec: { readonly help: string }): Setting<boolean> {
  const takes = "1 or 0";
  const read = ([text = "0"]: readonly string[]): boolean => {
    if (/^(1|true)$/.test(text)) return true;
    if (/^(0|false)$/.test(text)) return false;
    throw new RangeError(`takes ${takes}, got ${JSON.stringify(text)}`);
  };
  return { ...spec, takes, read };
}

/** A file or folder. The default is one of the repository's, found from any working directory. */
export function path<const S extends Spec<string>>(spec: S): Setting<Read<string, S>> {
  return custom({ value: "FOLDER", ...spec } as S, {
    takes: "a path",
    accept: (text) => located(text, spec.fallback),
  });
}

/** A text file that a setting names. */
export interface NamedFile {
  readonly path: string;
  /** @throws {UsageError} naming the flag, if it cannot be read */
  text(): string;
}

/** A text file, read on request. The default is one of the repository's. */
export function file<const S extends Spec<string>>(spec: S): Setting<Read<NamedFile, S>> {
  const accept = (given: string, flag: string): NamedFile => ({
    path: given,
    text: () => {
      try {
        return readFileSync(located(given, spec.fallback), "utf8");
      } catch (error) {
        throw new UsageError(`--${flag}: cannot read ${given}: ${(error as Error).message}`);
      }
    },
  });
  return custom({ value: "FILE", ...spec } as S, { takes: "a path", accept });
}

function located(path: string, ours?: string): string {
  return path === ours ? fileURLToPath(new URL(`../${path}`, import.meta.url)) : path;
}

/** A setting that may be given several times. */
export function repeatable<T>(setting: Setting<T>): Setting<NonNullable<T>[]> {
  const read = (texts: readonly string[], flag: string) =>
    texts.map((text) => setting.read([text], flag)!);
  return { ...setting, repeatable: true, read };
}

/** Words as a choice: `a, b or c`. */
export function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
