import assert from "node:assert/strict";
import { pages } from "../../commands/docs.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("the tables in docs are those of `deno task docs:settings`", async () => {
  for (const [page, text] of await pages()) {
    const kept = await Deno.readTextFile(new URL(page, ROOT));
    assert.equal(kept, text, `${page} is out of date: run \`deno task docs:settings\``);
  }
});
