/**
 * Options as people write them, in a query, a form or JSON: numbers as digits, repeated names, and
 * errors.
 */
import { z } from "zod";
import { CpcError } from "./errors.ts";

/** More digits than any bound here, but few enough for an exact number. */
const DIGITS = /^\d{1,15}$/;

/** Most items of a list, in JSON or with commas: zod reports each one that is wrong. */
const MOST_ITEMS = { voice: 16_384, others: 128 } as const;

/** A whole number in JSON, or its digits in a query or form; both bounds are included. */
export function wholeNumber(min: number, max: number) {
  return z.preprocess(
    (value) => typeof value === "string" && DIGITS.test(value) ? Number(value) : value,
    z.int(`must be a whole number from ${min} to ${max}`).min(min).max(max),
  );
}

/** The model of a request. */
export const modelOption = z.string().min(1).max(200).optional().meta({
  description: "id of a loaded model; default: the first",
});

/** An option that is 1, or left out. */
export const oneOption = z.preprocess(
  (value) => value === "1" ? 1 : value,
  z.literal(1, "must be 1, or left out"),
).optional();

/**
 * Adds an option to those read so far.
 *
 * @throws {CpcError} `invalid_option` if it is there already
 */
export function addOption(given: Record<string, unknown>, name: string, value: unknown): void {
  if (Object.hasOwn(given, name)) {
    throw new CpcError("invalid_option", `option ${name} is given twice`, { param: name });
  }
  // a plain assignment would lose an option named __proto__
  Object.defineProperty(given, name, { value, enumerable: true });
}

/**
 * Parses options.
 *
 * @throws {CpcError} `invalid_option`, naming the option
 */
export function parseOptions<Schema extends z.ZodObject>(
  schema: Schema,
  given: Record<string, unknown>,
): z.infer<Schema> {
  for (const [name, value] of Object.entries(given)) {
    const list: unknown = typeof value === "string" ? value.split(",") : value;
    const items = Array.isArray(list) ? list.length : 1;
    const most = MOST_ITEMS[name === "voice" ? name : "others"];
    if (items <= most) continue;
    const why = `option ${name} may have up to ${most} items, got ${items}`;
    throw new CpcError("invalid_option", why, { param: name });
  }
  const parsed = schema.safeParse(given, { error: plainly });
  if (parsed.success) return parsed.data;
  throw optionError(parsed.error, given, Object.keys(schema.shape));
}

const KINDS: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a string",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};

/** Says what zod finds wrong as a person would: for `error` of `safeParse()`. */
export function plainly(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_value": {
      const values = issue.values.map(String).join(", ");
      return issue.values.length === 1 ? `must be ${values}` : `must be one of ${values}`;
    }
    case "invalid_type":
      return `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case "too_small":
      if (issue.origin === "string" || issue.origin === "array") return "must not be empty";
      return `must be ${issue.minimum} or more`;
    case "too_big":
      if (issue.origin === "string") return `may have up to ${issue.maximum} characters`;
      if (issue.origin === "array") return `may have up to ${issue.maximum} items`;
      return `must be ${issue.maximum} or less`;
    case "unrecognized_keys":
      return `unknown member ${issue.keys[0]}`;
  }
}

/** A value as an error shows it: the beginning of its JSON. */
export function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? "nothing";
}

/**
 * Turns zod's error into one that names the option.
 *
 * @param known the valid names, listed for an unknown one
 */
export function optionError(
  error: z.ZodError,
  given: Record<string, unknown>,
  known: readonly string[] = [],
): CpcError {
  const [issue] = error.issues;
  if (issue?.code === "unrecognized_keys") {
    const [name] = issue.keys;
    const hint = known.length > 0 ? `; known options are ${known.join(", ")}` : "";
    return new CpcError("invalid_option", `unknown option ${name}${hint}`, { param: name });
  }
  const name = String(issue?.path[0] ?? "body");
  const why = `option ${name}: ${issue?.message}, got ${shown(given[name])}`;
  return new CpcError("invalid_option", why, { param: name });
}
