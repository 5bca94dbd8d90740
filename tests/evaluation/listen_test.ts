import assert from "node:assert/strict";
import { clipsOf, keyOf, listen, loudSpan, spectralExtractor } from "../../evaluation/listen.ts";
import { drawWindows, select, TASKS } from "../../evaluation/selection.ts";
import { openCorpus } from "../../training/corpus.ts";
import { readDataSet } from "../../training/manifest.ts";
import { writeTinyCorpus } from "../support/tiny_corpus.ts";

Deno.test("select() gives tasks their unseen speakers, clipsOf() each clip once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const data = await readDataSet(await writeTinyCorpus(folder));
    const chosen = select(data.segments, { tasks: new Set(TASKS), repetitions: 9 });
    assert.deepEqual(
      chosen.speakers.map(({ source, test, dev }) => [source, test.length, dev.length]),
      [
        ["librispeech", 9, 6],
        ["arabic_speech_commands", 27, 18],
      ],
    );
    assert.deepEqual(chosen.words?.words, ["au", "ia", "ui"]);
    assert.ok(chosen.speakers.every(({ test }) => test.every(({ split }) => split === "test")));
    assert.equal(chosen.abx?.tokens.length, 27);
    const clips = clipsOf(chosen);
    assert.equal(new Set(clips.map(({ segment }) => keyOf(segment))).size, clips.length);
    assert.equal(clips.length, 9 + 6 + 27 + 18 + 18);
    assert.deepEqual(select(data.segments, { tasks: new Set(["nce"]), repetitions: 9 }), {
      speakers: [],
      words: undefined,
      abx: undefined,
    });

    const fewer = select(data.segments, { tasks: new Set(["words", "abx"]), repetitions: 2 });
    assert.deepEqual([
      fewer.words?.train.length,
      fewer.words?.test.length,
      fewer.abx?.tokens.length,
    ], [12, 18, 18]);

    const corpus = await openCorpus(data);
    const options = { sources: ["librispeech"], split: "test", samples: 16_000, count: 5 } as const;
    const windows = drawWindows(corpus, options);
    assert.ok(windows.length === 5 && windows.every(({ samples }) => samples.length === 16_000));
    assert.deepEqual(drawWindows(corpus, options), windows);
    const [loud] = drawWindows(corpus, { ...options, levelDb: -6 });
    const power = loud.samples.reduce((sum, x) => sum + x * x, 0) / loud.samples.length;
    assert.ok(Math.abs(10 * Math.log10(power) + 6) < 1e-3);
    // one whole second in each
    assert.equal(drawWindows(corpus, { ...options, count: 99 }).length, 9);

    const features = await listen(spectralExtractor, clips, {
      samplesOf: (segment) => corpus.samples(segment),
    });
    for (const [system, width] of [["MFCC", 13], ["MFCC, slopes", 26], ["log-mel", 40]] as const) {
      for (const { segment, parts, frames } of clips) {
        const heard = features.get(system)?.get(keyOf(segment));
        assert.equal(heard?.mean.length, width);
        assert.equal(heard.parts?.length, parts ? 5 * width : undefined);
        assert.equal(heard.frames?.width, frames ? width : undefined);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("loudSpan() leaves out what is 30 dB below the loudest, at both ends alone", () => {
  const samples = new Float32Array(1600).map((_, i) => 0.001 * (i % 2 ? 1 : -1));
  for (const step of [3, 7]) samples.fill(0.5, step * 160, (step + 1) * 160);
  assert.deepEqual(loudSpan(samples), [0.3, 0.8]);
  assert.deepEqual(loudSpan(new Float32Array(1600)), [0, 1]);
  assert.deepEqual(loudSpan(Float32Array.of(1)), [0, 1]);
});
