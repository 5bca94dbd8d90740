/** What tests of the page have in common. */
import axe from "axe-core/axe.min.js" with { type: "text" };
import type { Page } from "playwright-core";
import { whyNoBrowser } from "./browser.ts";

const why = whyNoBrowser();

/** A test that needs the browser: skipped, and said so, where there is none. */
export function browserTest(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name: why ? `${name} (skipped: ${why})` : name, ignore: why !== undefined, fn: run });
}

/** Waits until an element says something; all that it says. */
export async function says(page: Page, id: string, pattern: RegExp): Promise<string> {
  const element = page.locator(`#${id}`).filter({ hasText: pattern });
  await element.waitFor({ timeout: 20_000 });
  return await element.innerText();
}

/** The file that a button saves. */
export async function saved(page: Page, button: string): Promise<Uint8Array<ArrayBuffer>> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(`#${button}`)]);
  return Deno.readFileSync(await download.path());
}

/** Serious findings of axe, as lines. */
export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const violations: { id: string; impact: string; nodes: { html: string }[] }[] = await page
    .evaluate(
      `axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) =>
        ({ id, impact, nodes: nodes.map(({ html }) => ({ html })) })))`,
    );
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ").slice(0, 300)}`);
}
