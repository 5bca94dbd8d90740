/** A converted checkpoint of voice activity projection on the page: a stereo file, two curves. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { convert } from "../../commands/convert.ts";
import { loadModels } from "../../model/heads/load.ts";
import { maxDifference } from "../support/golden.ts";
import { wav } from "../support/server.ts";
import { OUTPUTS, TOLERANCE, vapFixture } from "../support/vap.ts";
import { TestBrowser } from "./browser.ts";
import { browserTest, findings, says } from "./page_checks.ts";
import { withPages } from "./page_server.ts";
import { assertCurve } from "./pixels.ts";

const fixture = vapFixture("vap_50hz");
const RATE = 100 / fixture.every;
type Row = Record<string, number[]>;

/** The fixture's dialogue as a file of 32-bit floats. */
function dialogue(): Uint8Array<ArrayBuffer> {
  const [first, second] = fixture.samples;
  const samples = Float32Array.from(
    { length: 2 * first.length },
    (_, i) => (i % 2 === 0 ? first : second)[i >> 1],
  );
  return wav(samples, { channels: 2, tag: 3, bits: 32 });
}

browserTest(
  "page: a converted voice activity projection: whose turn it is, as the original says",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      const { vap, cpc, contextSeconds, expected } = fixture;
      const status = await convert(
        [vap, "--cpc", cpc, "--out", folder, "--context-seconds", String(contextSeconds)],
        { print: () => {}, complain: (text) => assert.fail(text), environment: () => undefined },
      );
      assert.equal(status, 0);
      await withPages({ models: await loadModels([folder]) }, async ({ url }) => {
        const browser = await TestBrowser.start();
        try {
          const { page, faults } = await browser.open(url);
          await page.getByLabel("vap (two speakers)").check();
          await page.locator("#speaker-2").waitFor();
          const file = dialogue();
          await page.selectOption("#speed", "fast");
          await page.setInputFiles("#file", {
            name: "dialogue.wav",
            mimeType: "audio/wav",
            buffer: Buffer.from(file),
          });
          await says(page, "status", /Done/);

          const answer = await fetch(`${url}/v1/embeddings?output=head.vap&split=1`, {
            method: "POST",
            body: file,
          });
          const { data: [{ "head.vap": { rows } }] } = await answer.json();
          for (const output of OUTPUTS) {
            const data = Array.from(expected.get(output)!.data, Number);
            const heard = rows.flatMap((row: Row) => row[output]);
            assert.ok(maxDifference(heard.slice(0, data.length), data) <= TOLERANCE, output);
          }
          await says(
            page,
            "answer-list",
            new RegExp(`vap ${RATE} rows a second, ${rows.length} so`),
          );
          const titles = await page.locator("#answer-list figcaption").allInnerTexts();
          assert.deepEqual(titles.map((title) => title.split("\n")[0]), [
            "Whose turn it is",
            "Who speaks next",
            "Who is speaking",
          ]);
          for (const [i, output] of OUTPUTS.entries()) {
            await assertCurve(page, {
              canvas: `#answer-list figure:nth-of-type(${i + 1}) canvas`,
              points: rows.flatMap(({ [output]: [first, second] }: Row, r: number) =>
                r > 0 && Math.abs(first - second) < 0.1 // there the second curve may hide it
                  ? []
                  : [[(r + 1) / RATE, first] as const]
              ),
              now: fixture.samples[0].length / 16_000,
            });
          }
          const told = (shares: number[]) => {
            const likelier = shares[0] >= shares[1] ? 0 : 1;
            return `speaker ${likelier + 1}, ${Math.round(shares[likelier] * 100)} %`;
          };
          const last = rows.at(-1);
          assert.deepEqual(
            await page.locator(".turns dd").allInnerTexts(),
            [told(last.p_now), told(last.p_future)],
          );
          assert.deepEqual(await findings(page), []);
          assert.deepEqual(faults, []);
        } finally {
          await browser.close();
        }
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
