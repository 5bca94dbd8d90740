/** `deno task docs:settings`: writes the settings and limits into their pages. */
import { withTables } from "../evaluation/page.ts";
import { runCommand } from "./cli.ts";
import { parts } from "./docs/tables.ts";

const ROOT = new URL("../", import.meta.url);

const DOCS = {
  name: "docs:settings",
  about: "Writes the settings into README.md, docs/settings.md and docs/limits.md.",
  usage: "",
  settings: {},
};

/** The pages with up-to-date parts, by path. */
export async function pages(): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  for (const { page, marks, table } of parts()) {
    const text = pages.get(page) ?? await Deno.readTextFile(new URL(page, ROOT));
    pages.set(page, withTables(text, { tables: table, name: page, marks }));
  }
  return pages;
}

async function write(): Promise<void> {
  for (const [page, text] of await pages()) await Deno.writeTextFile(new URL(page, ROOT), text);
}

if (import.meta.main) Deno.exit(await runCommand(DOCS, write, { args: Deno.args }));
