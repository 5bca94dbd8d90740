import assert from "node:assert/strict";
import { join } from "node:path";
import { CpcError } from "../../errors.ts";
import { Batches, negativesOf } from "../../training/batches.ts";
import { trainingConfigSchema } from "../../training/config.ts";
import { openCorpus } from "../../training/corpus.ts";
import { readDataSet } from "../../training/manifest.ts";
import { wavFile } from "../audio/wav_writer.ts";
import { tinyConfig } from "../support/models.ts";
import { withTempFolder, writeCorpus } from "../support/corpus.ts";

const config = (more: Record<string, unknown> = {}) =>
  trainingConfigSchema.parse({
    model: tinyConfig,
    batch: { voices: 3, windows_per_voice: 2, window_samples: 8000 },
    optimizer: { steps: 10 },
    ...more,
  });
const refused = (message: RegExp) => (error: unknown) =>
  error instanceof CpcError && message.test(error.message);
const rms = (x: Float32Array) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);

Deno.test("readDataSet() of a manifest gives its segments, and names faults", async () => {
  await withTempFolder(async (folder) => {
    const manifest = await writeCorpus(folder);
    const { segments, root } = await readDataSet(manifest);
    assert.equal(segments.length, 12);
    assert.deepEqual(segments[3], {
      path: "speaker1/b.wav",
      startSample: 0,
      samples: 24_000,
      speaker: "speaker1",
      source: "odd",
      text: "a, tone",
      split: "train",
    });
    assert.equal(root, folder);
    await Deno.writeTextFile(manifest, "path,start_sample\na.wav,0\nb.wav,minus\n");
    await assert.rejects(
      readDataSet(manifest),
      refused(/row 2 .* column start_sample: a whole number/),
    );
    await Deno.writeTextFile(manifest, "path\n");
    await assert.rejects(readDataSet(manifest), refused(/no recordings/));
    await assert.rejects(
      readDataSet(join(folder, "none.csv")),
      refused(/cannot read the data at .*none\.csv/),
    );
  });
});

Deno.test("readDataSet() of a folder takes folders for speakers, some held out", async () => {
  await withTempFolder(async (folder) => {
    await writeCorpus(folder, { speakers: 40 });
    const { segments } = await readDataSet(folder);
    assert.equal(segments.length, 80);
    const splits = Map.groupBy(segments, ({ speaker }) => speaker);
    assert.ok([...splits.values()].every((of) => new Set(of.map(({ split }) => split)).size === 1));
    assert.deepEqual(new Set(segments.map(({ split }) => split)), new Set(["train", "dev"]));
  });
  for (const [speakers, heldOut] of [[1, 1], [2, 2], [3, 2]]) { // recordings, two of each speaker
    await withTempFolder(async (folder) => {
      await writeCorpus(folder, { speakers });
      const { segments } = await readDataSet(folder);
      assert.equal(
        segments.filter(({ split }) => split === "dev").length,
        heldOut,
        `${speakers} speakers`,
      );
    });
  }
});

Deno.test("openCorpus() has spans of one speaker and one split alone", async () => {
  await withTempFolder(async (folder) => {
    const manifest = await writeCorpus(folder, { speakers: 1 });
    const rows = [[0, 4000, "A", "train"], [6000, 2000, "A", "train"], [8000, 6000, "B", "dev"], [
      12_000,
      2000,
      "A",
      "train",
    ], [
      20_000,
      0,
      "A",
      "test",
    ]];
    const lines = rows.map(([start, samples, speaker, split]) =>
      `speaker0/a.wav,${start},${samples},${speaker},${split}`
    );
    await Deno.writeTextFile(
      manifest,
      ["path,start_sample,samples,speaker,split", ...lines].join("\n"),
    );
    const data = await readDataSet(manifest);
    const spans = async (split: "train" | "dev" | "test") =>
      (await openCorpus(data, { splits: [split] })).spans.map((
        { from, to, speaker },
      ) => [from, to, speaker]);
    assert.deepEqual(await spans("train"), [[0, 8000, "A"], [12_000, 14_000, "A"]]);
    assert.deepEqual(await spans("dev"), [[8000, 12_000, "B"]]);
    assert.deepEqual(await spans("test"), [[20_000, 24_000, "A"]]);

    const pcm = Int16Array.from(
      { length: 24_000 },
      (_, i) => 8000 * (i < 8000 || i >= 12_000 && i < 14_000 ? Math.sin(i / 20) : (-1) ** i),
    );
    await Deno.writeFile(join(folder, "speaker0/a.wav"), wavFile(new Uint8Array(pcm.buffer)));
    const corpus = await openCorpus(data, { splits: ["train"] });
    const batches = new Batches(corpus, config({ batch: { voices: 1, window_samples: 1900 } }));
    for (let step = 0; step < 50; step++) {
      const { samples } = batches.at(step);
      assert.ok(
        samples.every((x, i) => i === 0 || Math.abs(x - samples[i - 1]) < 0.05),
        "a window reaches out of what is trained on",
      );
    }
  });
});

Deno.test("openCorpus() takes paths that are absolute, or relative to the manifest", async () => {
  await withTempFolder(async (folder) => {
    const data = await readDataSet(await writeCorpus(folder));
    const segments = data.segments.map((one) => ({ ...one, path: join(data.root, one.path) }));
    const spans = async (set: typeof data, cache?: string) =>
      (await openCorpus(set, cache ? { cache } : {})).spans.length;
    const absolute = { root: join(folder, "elsewhere"), segments };
    assert.equal(await spans(absolute), await spans(data));
    assert.equal(await spans(absolute, join(folder, "cache")), await spans(data));
  });
});

Deno.test("openCorpus() decodes once, and again when a recording changed", async () => {
  await withTempFolder(async (folder) => {
    const data = await readDataSet(await writeCorpus(folder));
    const cache = join(folder, "cache");
    let decoded = 0;
    const open = () => openCorpus(data, { splits: ["train"], cache, onProgress: () => decoded++ });
    const fresh = await open();
    const cached = await open();
    assert.equal(decoded, 8);
    assert.deepEqual(cached.samples(cached.segments[5]), fresh.samples(fresh.segments[5]));
    assert.equal(fresh.samples(fresh.segments[5]).length, 24_000);
    const other = await openCorpus(data, { splits: ["dev"] });
    assert.throws(() => other.read(fresh.segments[0].path, { from: 0, to: 1 }), RangeError);
    await Deno.copyFile(join(folder, "speaker0/a.wav"), join(folder, "speaker0/b.wav"));
    await Deno.utime(join(folder, "speaker0/b.wav"), 1, 1);
    await open();
    assert.equal(decoded, 16);
    await Deno.writeTextFile(join(folder, "speaker0/b.wav"), "no audio at all");
    await assert.rejects(open(), refused(/speaker0\/b\.wav: the audio is of an unknown kind/));
  });
});

Deno.test("openCorpus() decodes again what a cache does not hold whole", async () => {
  await withTempFolder(async (folder) => {
    const data = await readDataSet(await writeCorpus(folder));
    const cache = join(folder, "cache");
    let decoded = 0;
    const open = () => openCorpus(data, { cache, onProgress: () => decoded++ });
    const { key } = await open();
    const [lengths, samples] = ["json", "s16"].map((end) => join(cache, `corpus-${key}.${end}`));
    const harms = [
      () => Deno.writeTextFile(lengths, "[24000, 240"),
      () => Deno.writeTextFile(lengths, '{"lengths": 1}'),
      () => Deno.truncate(samples, 24_001),
      () => Deno.remove(samples),
    ];
    for (const [i, harm] of harms.entries()) {
      await harm();
      const { segments } = await open();
      assert.equal(decoded, (i + 2) * segments.length);
    }
  });
});

Deno.test("Batches.at() depends on seed and step alone, and levels windows", async () => {
  await withTempFolder(async (folder) => {
    const corpus = await openCorpus(await readDataSet(await writeCorpus(folder)), {
      splits: ["train"],
    });
    const [a, b] = [new Batches(corpus, config()), new Batches(corpus, config())];
    b.at(1);
    assert.deepEqual(a.at(7), b.at(7));
    assert.notDeepEqual(a.at(7), a.at(8));
    assert.notDeepEqual(a.at(7), new Batches(corpus, config({ seed: 2 })).at(7));
    assert.equal(a.at(0).samples.length, 6 * 8000);
    assert.equal(a.voices, 4);

    const augment = { level_db: -30, gain_db: 0, speed: [0.9, 1.1], past_noise_snr_db: [20, 20] };
    const augmented = new Batches(corpus, config({ augment })).at(0);
    for (let n = 0; n < 6; n++) {
      const window = augmented.samples.subarray(n * 8000, (n + 1) * 8000);
      assert.ok(window.every(Number.isFinite));
      assert.ok(
        Math.abs(20 * Math.log10(rms(window)) + 30) < 4,
        "a part of a recording may be louder or softer than the whole",
      );
      const noise = augmented.past!.subarray(n * 8000, (n + 1) * 8000).map((x, i) => x - window[i]);
      assert.ok(Math.abs(20 * Math.log10(rms(window) / rms(noise)) - 20) < 0.5);
    }
    const pitched = (more: Record<string, unknown>) =>
      new Batches(corpus, config({ augment: { gain_db: 0, ...more } })).at(0);
    const [plain, past, both] = [
      pitched({}),
      pitched({ past_pitch_semitones: [3, 3] }),
      pitched({ pitch_semitones: [3, 3] }),
    ];
    assert.equal(plain.past, undefined);
    assert.deepEqual(past.samples, plain.samples);
    assert.notDeepEqual(past.past, plain.samples);
    assert.equal(past.past?.length, plain.samples.length);
    assert.notDeepEqual(both.samples, plain.samples);
    assert.equal(both.past, undefined);
    const only = new Batches(corpus, config({ data: { weights: { odd: 1 } } }));
    assert.equal(only.voices, 2);
    assert.throws(
      () => new Batches(corpus, config({ data: { weights: { other: 1 } } })),
      refused(/data\.weights names other, .* even, odd/),
    );
    const names = { corpus: "held-out data", member: "dev.sources" };
    const nothing = await openCorpus(await readDataSet(join(folder, "manifest.csv")), {
      splits: ["test"],
    });
    assert.throws(
      () => new Batches(nothing, config(), names),
      refused(/the held-out data has no recordings: .*split/),
    );
    const other = config({ data: { weights: { other: 1 } } });
    assert.throws(
      () => new Batches(corpus, other, names),
      refused(/dev\.sources names other, but the held-out data has only/),
    );
    await Deno.writeFile(join(folder, "speaker0/a.wav"), wavFile(new Uint8Array(8000)));
    await Deno.writeTextFile(join(folder, "silent.csv"), "path\nspeaker0/a.wav\n");
    const silent = await openCorpus(await readDataSet(join(folder, "silent.csv")));
    assert.throws(
      () => new Batches(silent, config()),
      refused(/the training data has nothing but silence/),
    );
  });
});

Deno.test("Batches.at() draws sources by weight, voices alike, any speed and gain", async () => {
  await withTempFolder(async (folder) => {
    const corpus = await openCorpus(await readDataSet(await writeCorpus(folder)), {
      splits: ["train"],
    });
    const drawn = (augment: Record<string, unknown>) => {
      const batches = new Batches(
        corpus,
        config({
          data: { weights: { even: 3, odd: 1 } },
          batch: { voices: 4, window_samples: 4000 },
          augment: { level_db: -50, gain_db: 0, ...augment },
        }),
      );
      return Array.from({ length: 100 }, (_, step) => {
        const { samples } = batches.at(step);
        return Array.from({ length: 4 }, (_, n) => samples.subarray(n * 4000, (n + 1) * 4000));
      }).flat();
    };
    const power = (window: Float32Array, frequency: number) =>
      [Math.sin, Math.cos].reduce(
        (sum, of) => sum + window.reduce((dot, x, i) => dot + x * of(i * frequency), 0) ** 2,
        0,
      );
    /** Of 0 … 4, whose pitch is heard, played at a speed. */
    const speakerOf = (whole: Float32Array, speed = 1) => {
      const window = whole.subarray(0, 1000);
      const powers = [0, 1, 2, 3, 4].map((speaker) =>
        power(window, speed * (0.05 + 0.03 * speaker))
      );
      return powers.indexOf(powers.reduce((a, b) => Math.max(a, b)));
    };
    const speakers = drawn({}).map((window) => speakerOf(window));
    const share = (speaker: number) =>
      speakers.filter((s) => s === speaker).length / speakers.length;
    for (const [speaker, wanted] of [[0, 3 / 8], [4, 3 / 8], [1, 1 / 8], [3, 1 / 8]]) {
      assert.ok(Math.abs(share(speaker) - wanted) < 0.08, `speaker ${speaker}: ${share(speaker)}`);
    }
    const slow = drawn({ speed: [0.5, 0.5] }).map((window) => speakerOf(window, 0.5));
    assert.deepEqual(slow.filter((speaker) => speaker === 2), []);
    assert.ok(slow.filter((speaker, i) => speaker === speakers[i]).length > 10);
    const strays = drawn({ gain_db: 20 }).map((window) => 20 * Math.log10(rms(window)) + 50);
    const mean = strays.reduce((sum, x) => sum + x) / strays.length;
    const deviation = Math.sqrt(
      strays.reduce((sum, x) => sum + (x - mean) ** 2, 0) / strays.length,
    );
    assert.ok(
      Math.abs(mean) < 3 && Math.abs(deviation - 20 / Math.sqrt(3)) < 1.5,
      `${mean} and ${deviation}`,
    );
  });
});

Deno.test("negativesOf() draws a batch's rows for all, and each voice's own rows", () => {
  const shape = { windows: 6, voices: 3, frames: 10 };
  const { batch, groups = [] } = negativesOf(shape, {
    negatives: { batch: 20, voice: 5 },
    seed: 4,
  });
  assert.equal(new Set(batch).size, 20);
  assert.ok(batch.every((row) => row >= 0 && row < 60));
  assert.equal(groups.length, 3);
  groups.forEach((rows, v) => {
    assert.equal(new Set(rows).size, 5);
    assert.ok(rows.every((row) => row >= v * 20 && row < (v + 1) * 20));
  });
});
