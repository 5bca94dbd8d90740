/**
 * Options as people write them, in a query, a form or JSON: one number's digits, a name given
 * twice, and how a mistake is told.
 */
import { z } from "zod";
import { CpcError } from "./errors.ts";

/** More digits than any bound here has, and fewer than a number holds exactly. */
const DIGITS = /^\d{1,15}$/;

/** A whole number in JSON, or its digits in a query or form; both bounds are allowed. */
export function wholeNumber(min: number, max: number) {
  return z.preprocess(
    (value) => typeof value === "string" && DIGITS.test(value) ? Number(value) : value,
    z.int(`must be a whole number from ${min} to ${max}`).min(min).max(max),
  );
}

/**
 * Adds an option to those given so far.
 *
 * @throws {CpcError} `invalid_option` when it is there already
 */
export function addOption(given: Record<string, unknown>, name: string, value: unknown): void {
  if (Object.hasOwn(given, name)) {
    throw new CpcError("invalid_option", `option ${name} is given twice`, { param: name });
  }
  // a mere assignment would lose an option named __proto__
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
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw optionError(parsed.error, given, Object.keys(schema.shape));
}

/**
 * What zod found, as an error that names the option.
 *
 * @param known the names there are, for one that is not among them
 */
export function optionError(
  error: z.ZodError,
  given: Record<string, unknown>,
  known: readonly string[] = [],
): CpcError {
  const [issue] = error.issues;
  if (issue?.code === "unrecognized_keys") {
    const [name] = issue.keys;
    const hint = known.length > 0 ? `; known are ${known.join(", ")}` : "";
    return new CpcError("invalid_option", `unknown option ${name}${hint}`, { param: name });
  }
  const name = String(issue?.path[0] ?? "body");
  const value = JSON.stringify(given[name])?.slice(0, 80) ?? "nothing";
  const why = `option ${name}: ${issue?.message}, got ${value}`;
  return new CpcError("invalid_option", why, { param: name });
}
