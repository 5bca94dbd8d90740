/** The model in a browser: what Chromium computes equals PyTorch's numbers and the server's. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { FP32_TOLERANCE, featureDifferences } from "../../conformance/check.ts";
import { type FeatureCase, featureCases, fixturePcm, maxDifference } from "../support/golden.ts";
import { loadModels } from "../../model/heads/load.ts";
import { TestBrowser } from "./browser.ts";
import { browserTest, saved, says } from "./page_checks.ts";
import { withPages } from "./page_server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SPEECH = `${ROOT}tests/fixtures/speech`;

/** Runs a test with a page of a server that has these models. */
async function withModels(
  folders: readonly string[],
  use: (page: Page, url: string, faults: readonly string[]) => Promise<void>,
): Promise<void> {
  const paths = folders.map((folder) => `${ROOT}${folder}`);
  const flags = paths.flatMap((path) => ["--model", path]);
  await withPages({ flags, models: await loadModels(paths) }, async ({ url }) => {
    const browser = await TestBrowser.start();
    try {
      const { page, faults } = await browser.open(url);
      await use(page, url, faults);
      assert.deepEqual(faults, []);
    } finally {
      await browser.close();
    }
  });
}

/** Samples as a page takes them. */
function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Latents and contexts of a golden case, computed in the page. */
async function featuresInPage(
  page: Page,
  { model, wav, start, samples }: FeatureCase,
): Promise<{ latent: number[]; context: number[]; frames: number }> {
  const pcm = fixturePcm(wav).subarray(2 * start, 2 * (start + samples));
  return await page.evaluate(async ({ model, audio }) => {
    const { connect } = await import("/client.js" as string);
    const stream = await connect({ model, encoding: "s16le", output: ["context", "latent"] });
    const bytes = Uint8Array.from(atob(audio), (char) => char.charCodeAt(0));
    for (let at = 0; at < bytes.length; at += 6_421) void stream.send(bytes.slice(at, at + 6_421));
    const { frames } = await stream.finish();
    const rows: { latent: number[]; context: number[] } = { latent: [], context: [] };
    for await (const { latent, context } of stream) {
      for (const row of latent) rows.latent.push(...row);
      for (const row of context) rows.context.push(...row);
    }
    return { ...rows, frames };
  }, { model: `/weights/${model.split("/").at(-1)}/`, audio: base64(pcm) });
}

browserTest("engine in Chromium: PyTorch's features of every architecture", async () => {
  const cases = featureCases();
  const folders = [...new Set(cases.map(({ model }) => model))];
  await withModels(folders, async (page) => {
    for (const golden of cases) {
      const features = await featuresInPage(page, golden);
      const { frames } = features;
      const dims = {
        latent: features.latent.length / frames,
        context: features.context.length / frames,
      };
      const { latent, context } = featureDifferences(golden, { ...features, dims });
      assert.ok(latent <= FP32_TOLERANCE && context <= FP32_TOLERANCE, `${golden.name}: ${latent}`);
    }
  });
});
