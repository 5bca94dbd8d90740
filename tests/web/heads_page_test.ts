/**
 * Heads on the page: curves, events, two speakers, with the shipped head and one of two channels.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { connect, type HeadEvent } from "../../client/mod.ts";
import { readWav, type Sound } from "../../client/browser/sound_file.ts";
import { loadModels } from "../../model/heads/load.ts";
import { modelDims, type Weights } from "../../model/weights.ts";
import { wav } from "../support/server.ts";
import { turnHead } from "../support/turn_head.ts";
import { assertCurve, colourOf, pixelsOf, PLOT_SECONDS } from "./pixels.ts";
import { TestBrowser } from "./browser.ts";
import { browserTest, findings, saved, says } from "./page_checks.ts";
import { withPages } from "./page_server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SPEECH = `${ROOT}tests/fixtures/speech`;
const FILE = `${SPEECH}/italian_long.wav`;

/** The shipped model with its head `speech`, and with a head of two speakers. */
async function modelsWithHeads(): Promise<Weights[]> {
  const [small] = await loadModels([`${ROOT}weights/cpc-small`]);
  const turns = turnHead(modelDims(small.config).context);
  return [{ ...small, heads: [...small.heads ?? [], turns] }];
}

function soundOf(path: string): Sound {
  const sound = readWav(Deno.readFileSync(path).buffer);
  assert.ok(sound);
  return sound;
}

/** A file in which two people speak in turns of a second. */
function dialogue(): Uint8Array<ArrayBuffer> {
  const speakers = [FILE, `${SPEECH}/russian.wav`].map((path) => soundOf(path).channels[0]);
  const samples = Float32Array.from({ length: 2 * 16_000 * 3 }, (_, i) => {
    const [time, c] = [i >> 1, i % 2];
    return speakers[c][time] * (Math.floor(time / 16_000) % 2 === c ? 1 : 0.02);
  });
  return wav(samples, { channels: 2 });
}

/** Rows of a head as REST gives them: numbers of one output. */
async function rowsOf(
  url: string,
  { audio, query, output }: { audio: Uint8Array<ArrayBuffer>; query: string; output: string },
): Promise<number[][]> {
  const answer = await fetch(`${url}/v1/embeddings?${query}`, { method: "POST", body: audio });
  assert.equal(answer.status, 200);
  const { data: [{ [new URLSearchParams(query).get("output")!]: { rows } }] } = await answer.json();
  return rows.map((row: Record<string, number[]>) => row[output]);
}

/** What the head `speech` notices in a recording. */
async function eventsOf(url: string, samples: Float32Array): Promise<HeadEvent[]> {
  const events: HeadEvent[] = [];
  const stream = await connect(url, { output: ["head.speech"] });
  stream.on("event", (event) => events.push(event));
  await stream.send(samples);
  await stream.finish();
  return events;
}

async function send(
  page: Page,
  file: Parameters<Page["setInputFiles"]>[1],
): Promise<void> {
  await page.selectOption("#speed", "fast");
  await page.setInputFiles("#file", file);
}

browserTest(
  "page: a head's rows are curves in time with the sound, its events marks and a list",
  async () => {
    await withPages({ models: await modelsWithHeads() }, async ({ url }) => {
      const browser = await TestBrowser.start();
      try {
        const { page, faults } = await browser.open(url);
        assert.ok(await page.getByLabel("speech", { exact: true }).isChecked());
        await send(page, FILE);
        await says(page, "status", /Done/);
        const { channels: [samples] } = soundOf(FILE);
        const rows = await rowsOf(url, {
          audio: Deno.readFileSync(FILE),
          query: "output=head.speech",
          output: "speech",
        });
        await says(
          page,
          "answer-list",
          new RegExp(`speech 100 rows a second, ${rows.length} so far`),
        );
        const now = samples.length / 16_000;
        const points = rows.map(([value], r) => [(r + 1) / 100, value] as const);
        await assertCurve(page, { canvas: "#answer-list canvas", points, now });
        const value = rows.at(-1)?.[0].toFixed(2);
        assert.equal(await page.locator("#answer-list .legend b").innerText(), value);

        const events = await eventsOf(url, samples);
        assert.ok(events.length >= 2, "there is speech");
        const listed = await page.locator("#event-rows tr").allInnerTexts();
        const words = { start: "began", end: "ended" } as const;
        assert.deepEqual(
          listed.map((row) => row.split("\t")),
          events.toReversed().map(({ time, event, state }) => [
            `${time.toFixed(2)} s`,
            event,
            words[state],
            "speech",
          ]),
        );
        const mark = await colourOf(page, 1);
        const { width, near } = await pixelsOf(page, "#wave");
        for (const { time } of events) {
          const x = Math.floor((time - (now - PLOT_SECONDS)) / PLOT_SECONDS * width);
          assert.ok([-1, 0, 1].some((step) => near(x + step, 80, mark)), `no mark at ${time} s`);
        }
        assert.deepEqual(faults, []);
      } finally {
        await browser.close();
      }
    });
  },
);

browserTest(
  "page: a stereo file: whose turn it is, who speaks next; a mono file is refused",
  async () => {
    await withPages({ models: await modelsWithHeads() }, async ({ url }) => {
      const browser = await TestBrowser.start();
      try {
        const { page, faults } = await browser.open(url, {
          colorScheme: "dark",
          viewport: { width: 390, height: 800 },
        });
        const turns = page.getByLabel("turns (two speakers)");
        await turns.focus();
        await page.keyboard.press("Space");
        await page.locator("#speaker-2").waitFor();
        await send(page, FILE);
        await says(page, "problem", /requires an audio file with two channels/);

        const buffer = dialogue();
        await send(page, {
          name: "dialogue.wav",
          mimeType: "audio/wav",
          buffer: Buffer.from(buffer),
        });
        await says(page, "status", /Done/);
        const query = "output=head.turns&split=1";
        const parts = page.locator("#answer-list > section");
        assert.deepEqual(
          (await parts.locator("h3").allInnerTexts()).map((text) => text.split(" 100")[0]),
          ["speech, speaker 1", "speech, speaker 2", "turns 20 rows a second, 60 so far"],
        );
        const now = await rowsOf(url, { audio: buffer, query, output: "p_now" });
        const next = await rowsOf(url, { audio: buffer, query, output: "p_future" });
        assert.equal(now.length, 60);
        for (const speaker of [0, 1]) {
          const points = now.map((shares, r) => [(r + 1) / 20, shares[speaker]] as const);
          if (speaker === 1) continue; // dashed: not every point is drawn
          await assertCurve(page, {
            canvas: "section:nth-of-type(3) > figure canvas",
            points,
            now: 3,
          });
        }
        const told = (shares: number[] = []) => {
          const likelier = shares[0] >= shares[1] ? 0 : 1;
          return `speaker ${likelier + 1}, ${Math.round(shares[likelier] * 100)} %`;
        };
        assert.deepEqual(await page.locator(".turns dd").allInnerTexts(), [
          told(now.at(-1)),
          told(next.at(-1)),
        ]);
        assert.ok(
          (await page.locator("#event-rows").innerText()).includes("speech, speaker 2"),
          "events of both channels",
        );
        assert.deepEqual(await findings(page), []);
        const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert.equal(overflow, 0, "pixels too wide for a phone");
        assert.deepEqual(readWav((await saved(page, "save-audio")).buffer)?.channels.length, 2);
        assert.deepEqual(faults, []);
      } finally {
        await browser.close();
      }
    });
  },
);

browserTest("page: two microphones; heads change while the stream is live", async () => {
  await withPages({ models: await modelsWithHeads() }, async ({ url }) => {
    const browser = await TestBrowser.start({ microphone: FILE });
    try {
      const { page, faults } = await browser.open(url);
      const [speech, turns] = [
        page.getByLabel("speech", { exact: true }),
        page.getByLabel("turns (two speakers)"),
      ];
      await page.click("#microphone");
      await says(page, "answer-list", /speech 100 rows a second, \d{2,} so far/);
      assert.ok(await turns.isDisabled());
      await says(page, "heads-note", /stop, choose turns, and start again/);
      await speech.uncheck();
      await page.locator("#answers").waitFor({ state: "hidden" });
      await speech.check();
      await says(page, "answer-list", /speech 100 rows a second, \d{2,} so far/);
      await page.click("#microphone");
      await says(page, "status", /Done/);

      await turns.check(); // of one microphone, both channels
      await page.click("#microphone");
      await says(page, "answer-list", /turns 20 rows a second, \d{2,} so far/);
      await page.click("#microphone");
      await says(page, "status", /Done/);

      await page.click("#find-microphones");
      const options = page.locator("#speaker-2 option");
      await options.nth(2).waitFor({ state: "attached" });
      await page.selectOption("#speaker-1", { index: 1 });
      await page.selectOption("#speaker-2", { index: 2 });
      await page.click("#microphone");
      await says(page, "status", / and .* Hz, to cpc-small/);
      await says(page, "answer-list", /turns 20 rows a second, \d{2,} so far/);
      await turns.uncheck();
      await page.locator("#answer-list").filter({ hasNotText: "turns" }).waitFor();
      await says(page, "answer-list", /speaker 2 100 rows a second, \d{3,} so far/);
      await page.click("#microphone");
      await says(page, "status", /Done/);
      const audio = readWav((await saved(page, "save-audio")).buffer);
      const heard = audio?.channels.map((channel) => channel.some((x) => Math.abs(x) > 0.01));
      assert.deepEqual(heard, [true, true]);
      assert.deepEqual(faults, []);
    } finally {
      await browser.close();
    }
  });
});

browserTest("page: a head that the server no longer has is named, and off the list", async () => {
  await withPages({ models: await modelsWithHeads() }, async ({ url }) => {
    const browser = await TestBrowser.start();
    try {
      const { page } = await browser.open("about:blank");
      let asked = 0;
      await page.route("**/v1/models", async (route) => {
        const answer = await route.fetch();
        const models = await answer.json();
        const [{ heads }] = models.data;
        const plain = heads.find(({ voice }: { voice?: boolean }) => !voice);
        if (asked++ === 0) heads.push({ ...plain, name: "former" });
        await route.fulfill({ response: answer, json: models });
      });
      await page.goto(url);
      const former = page.getByLabel("former");
      await former.check();
      await send(page, FILE);
      await says(page, "problem", /no longer has the head former, so it is off the list/);
      assert.equal(await former.count(), 0);
      await send(page, FILE);
      await says(page, "status", /Done/);
      assert.ok(await page.locator("#problem").isHidden());
    } finally {
      await browser.close();
    }
  });
});
