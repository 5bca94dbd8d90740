/** The model in a browser: what Chromium computes equals PyTorch's numbers. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { LocalDevice } from "../../client/mod.ts";
import { featureDifferences, FP32_TOLERANCE } from "../../conformance/check.ts";
import { type FeatureCase, featureCases, fixturePcm } from "../support/golden.ts";
import { browserTest } from "./page_checks.ts";
import { withModels } from "./engine_page.ts";

/** Samples as a page takes them. */
function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Largest differences of a golden case, computed in the page, from PyTorch's numbers. */
async function differencesInPage(
  page: Page,
  golden: FeatureCase,
  device: LocalDevice,
): Promise<number> {
  const features = await featuresInPage(page, golden, device);
  const { frames } = features;
  const dims = {
    latent: features.latent.length / frames,
    context: features.context.length / frames,
  };
  const { latent, context } = featureDifferences(golden, { ...features, dims });
  return Math.max(latent, context);
}

/** Latents and contexts of a golden case, computed in the page. */
async function featuresInPage(
  page: Page,
  { model, wav, start, samples }: FeatureCase,
  device: LocalDevice,
): Promise<{ latent: number[]; context: number[]; frames: number }> {
  const pcm = fixturePcm(wav).subarray(2 * start, 2 * (start + samples));
  return await page.evaluate(async ({ model, audio, device }) => {
    const { connect } = await import("/client.js" as string);
    const output = ["context", "latent"];
    const stream = await connect({ model, device, encoding: "s16le", output });
    const bytes = Uint8Array.from(atob(audio), (char) => char.charCodeAt(0));
    for (let at = 0; at < bytes.length; at += 6_421) void stream.send(bytes.slice(at, at + 6_421));
    const { frames } = await stream.finish();
    const rows: { latent: number[]; context: number[] } = { latent: [], context: [] };
    for await (const { latent, context } of stream) {
      for (const row of latent) rows.latent.push(...row);
      for (const row of context) rows.context.push(...row);
    }
    return { ...rows, frames };
  }, { model: `/weights/${model.split("/").at(-1)}/`, audio: base64(pcm), device });
}

/** Of architectures that between them have every operator of our graphs. */
const GOLDEN = [
  "features_cpc_base_italian_short",
  "features_odd_strides_italian_short",
  "features_channel_lstm_synthetic_english",
  "features_residual_everywhere_italian_short",
];

browserTest("engine in Chromium: PyTorch's features, whatever the architecture", async () => {
  const cases = featureCases().filter(({ name }) => GOLDEN.includes(name));
  assert.equal(cases.length, GOLDEN.length);
  const folders = [...new Set(cases.map(({ model }) => model))];
  await withModels(folders, async (page) => {
    for (const golden of cases) {
      const difference = await differencesInPage(page, golden, "wasm");
      assert.ok(difference <= FP32_TOLERANCE, `${golden.name}: ${difference}`);
    }
  });
});

browserTest(
  "engine in Chromium: PyTorch's features by WebGPU, and where there is none it says so",
  async () => {
    const [golden] = featureCases().toSorted((a, b) => a.frames - b.frames); // in software
    assert.ok(golden);
    await withModels([golden.model], async (page) => {
      const difference = await differencesInPage(page, golden, "webgpu");
      assert.ok(difference <= FP32_TOLERANCE, `${difference}`);
    }, { webgpu: true });
    await withModels([golden.model], async (page) => {
      await assert.rejects(
        differencesInPage(page, golden, "webgpu"),
        /no WebGPU, or .* graphics card/,
      );
    });
  },
);
