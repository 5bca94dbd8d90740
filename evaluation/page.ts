/** Markdown pages of which a program writes a part. */
import { UsageError } from "../errors.ts";

/** The lines around the evaluation's part. */
export const PAGE_MARKS = [
  "<!-- begin: deno task eval -->",
  "<!-- end: deno task eval -->",
] as const;

/**
 * Replaces the part of a page between two lines.
 *
 * @throws {UsageError} when the marks are not there once each, in order
 */
export function withTables(
  page: string,
  { tables, name, marks = PAGE_MARKS }: {
    tables: string;
    name: string;
    marks?: readonly [string, string];
  },
): string {
  const [begin, end] = marks;
  const [before, rest, ...more] = page.split(begin);
  const [old, after, ...others] = rest?.split(end) ?? [];
  if (old === undefined || after === undefined || more.length + others.length > 0) {
    throw new UsageError(
      `${name} must have the lines ${marks.join(" and ")} once each, in this order`,
    );
  }
  return `${before}${begin}\n\n${tables}\n\n${end}${after}`;
}
