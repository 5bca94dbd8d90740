/** A page in Markdown of which one part is written by the evaluation. */
import { UsageError } from "../errors.ts";

/** Lines between which that part stands. */
export const PAGE_MARKS = [
  "<!-- begin: deno task eval -->",
  "<!-- end: deno task eval -->",
] as const;

/** A page with another part. @throws {UsageError} when it has not each mark once, in order */
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
