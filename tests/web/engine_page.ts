/** A page of a server whose models a browser computes. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { loadModels } from "../../model/heads/load.ts";
import { TestBrowser } from "./browser.ts";
import { withPages } from "./page_server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Runs a test with a page of a server that has these models. */
export async function withModels(
  folders: readonly string[],
  use: (page: Page, url: string) => Promise<void>,
  { webgpu }: { webgpu?: boolean } = {},
): Promise<void> {
  const paths = folders.map((folder) => `${ROOT}${folder}`);
  const flags = paths.flatMap((path) => ["--model", path]);
  await withPages({ flags, models: await loadModels(paths) }, async ({ url }) => {
    const browser = await TestBrowser.start({ webgpu });
    try {
      const { page, faults } = await browser.open(url);
      await use(page, url);
      assert.deepEqual(faults, []);
    } finally {
      await browser.close();
    }
  });
}
