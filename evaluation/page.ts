/** A Markdown page, of which the evaluation writes one part. */
import { UsageError } from "../errors.ts";

/** The lines around that part. */
export const PAGE_MARKS = [
  "<!-- begin: deno task eval -->",
  "<!-- end: deno task eval -->",
] as const;

/**
 * Replaces that part of a page. @throws {UsageError} when the marks are not there once each, in
 * order
 */
export function withTables(
  page: string,
  { tables, name }: { tables: string; name: string },
): string {
  const [begin, end] = PAGE_MARKS;
  const [before, rest, ...more] = page.split(begin);
  const [old, after, ...others] = rest?.split(end) ?? [];
  if (old === undefined || after === undefined || more.length + others.length > 0) {
    throw new UsageError(
      `${name} must have the lines ${PAGE_MARKS.join(" and ")} once each, in this order`,
    );
  }
  return `${before}${begin}\n\n${tables}\n\n${end}${after}`;
}
