import assert from "node:assert/strict";
import { connect } from "../../client/mod.ts";
import { withCutProxy } from "../support/cut_proxy.ts";
import { maxDifference, readNpy } from "../support/golden.ts";
import { TestBrowser } from "./browser.ts";
import { browserTest, findings, saved, says } from "./page_checks.ts";
import { withPages } from "./page_server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SPEECH = `${ROOT}tests/fixtures/speech`;
const SCREENSHOT = `${ROOT}docs/screenshot.png`;
async function embed(
  url: string,
  audio: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(`${url}/v1/embeddings`, {
    method: "POST",
    body: audio,
    headers: { accept: "application/x-npy" },
  });
  assert.equal(answer.status, 200);
  return await answer.bytes();
}

function assertSame(heard: Uint8Array, expected: Uint8Array): void {
  const [a, b] = [readNpy(heard), readNpy(expected)];
  assert.deepEqual(a.shape, b.shape);
  const [frames = 0, width] = a.shape;
  assert.ok(frames > 100 && width === 256);
  assert.ok(maxDifference(a.data as Float32Array, b.data as Float32Array) <= 1e-4);
}

browserTest(
  "page: a microphone's vectors equal the REST answer's, across a cut connection",
  async () => {
    await withPages({}, async ({ url, port }) => {
      const browser = await TestBrowser.start({ microphone: `${SPEECH}/italian_long.wav` });
      try {
        await withCutProxy(port, async (proxy) => {
          const { page, faults } = await browser.open(`http://127.0.0.1:${proxy.port}/`);
          await page.click("#microphone");
          await says(page, "n-frames", /^(1[2-9]|[2-9].)\d$/);
          proxy.cut();
          await says(page, "n-resumed", /^1$/);
          await says(page, "n-frames", /^(3[3-9]|[4-9].)\d$/);
          if (Deno.env.get("CPC_SCREENSHOT")) {
            await page.screenshot({ path: SCREENSHOT, fullPage: true });
          }
          await says(page, "n-surprise", /^\d\.\d\d nats$/);
          await says(page, "n-latency", /^\d+ ms$/);
          assert.deepEqual(await findings(page), []);
          await page.click("#microphone");
          await says(page, "status", /Done/);
          const [vectors, audio] = [
            await saved(page, "save-vectors"),
            await saved(page, "save-audio"),
          ];
          assertSame(vectors, await embed(url, audio));
          assert.deepEqual(faults, []);
        });
      } finally {
        await browser.close();
      }
    });
  },
);

browserTest(
  "page: files, pause, reset, other outputs, light and dark, and the client itself in a browser",
  async (t) => {
    await withPages({}, async ({ url }) => {
      const browser = await TestBrowser.start({ microphone: `${SPEECH}/russian.wav` });
      const file = `${SPEECH}/russian.wav`;
      try {
        const { page, faults } = await browser.open(url, {
          colorScheme: "dark",
          viewport: { width: 390, height: 800 },
        });
        await t.step("a file as fast as it goes equals the REST answer", async () => {
          await page.selectOption("#speed", "fast");
          await page.setInputFiles("#file", file);
          await says(page, "status", /Done/);
          assertSame(await saved(page, "save-vectors"), await embed(url, Deno.readFileSync(file)));
          assert.deepEqual(await findings(page), []);
          const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
          assert.equal(overflow, 0, "pixels too wide for a phone");
        });
        await t.step(
          "pause holds the count, reset begins anew, latents come when asked for; keys work",
          async () => {
            await page.locator("h1").click(); // away from the file
            await page.keyboard.press("m");
            await says(page, "state", /live/);
            await says(page, "n-frames", /^([3-9]\d|\d{3})$/);
            await page.keyboard.press("p");
            await page.locator("#pause[aria-pressed=true]").waitFor();
            await page.keyboard.press("p");
            await page.keyboard.press("r");
            await says(page, "status", /Reset/);
            await page.selectOption("#output", "latent");
            await says(page, "kept", /× 512 latent/);
            await page.click("#microphone");
            await says(page, "status", /Done/);
          },
        );
        await t.step("client.js streams from a page", async () => {
          const heard = await page.evaluate(async () => {
            const { connect } = await import(`${location.origin}/client.js`);
            const stream = await connect(location.origin, { format: "json" });
            stream.send(new Float32Array(1600));
            stream.finish();
            const rows: number[] = [];
            for await (const { context } of stream) {
              for (const row of context) rows.push(row.length);
            }
            return rows;
          });
          assert.deepEqual(heard, Array(10).fill(256));
        });
        assert.deepEqual(faults, []);
        await t.step("the API page shows both contracts", async () => {
          const { page, faults } = await browser.open(`${url}/docs`);
          await page.getByText("/v1/embeddings").waitFor();
          await page.waitForSelector("code:text('keep_alive')");
          await page.getByText("/v1/models", { exact: true }).click();
          await page.getByRole("button", { name: "Execute" }).click();
          await page.locator(".live-responses-table").filter({ hasText: /"id": "cpc-base"/ })
            .waitFor();
          assert.deepEqual(faults, []);
        });
      } finally {
        await browser.close();
      }
    });
  },
);

browserTest("page: no microphone, no key, too many streams: each is explained", async () => {
  await withPages(
    { flags: ["--api-key", "correct-horse", "--max-streams", "1"] },
    async ({ url }) => {
      const browser = await TestBrowser.start({ allowed: false });
      try {
        const { page, faults } = await browser.open(url);
        await says(page, "status", /requires a key/);
        await page.click("#microphone");
        await says(page, "problem", /did not allow the microphone/);
        await page.selectOption("#speed", "fast");
        await page.setInputFiles("#file", `${SPEECH}/italian_short.wav`);
        await says(page, "problem", /requires a key/);
        await page.fill("#key", "correct-horse");
        await page.keyboard.press("Tab");
        await says(page, "model", /cpc-base/);
        const other = await connect(url, { key: "correct-horse" });
        await page.setInputFiles("#file", `${SPEECH}/italian_short.wav`);
        await says(page, "problem", /Too many streams/);
        other.close();
        await other.closed;
        assert.equal(
          await page.evaluate(
            "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])",
          ),
          '[{},{},""]',
        );
        assert.ok(faults.every((fault) => fault.includes("401")), faults.join());
      } finally {
        await browser.close();
      }
    },
  );
});
