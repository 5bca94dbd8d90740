import assert from "node:assert/strict";
import { join } from "node:path";
import { cacheFile, readFeatures, writeFeatures } from "../../evaluation/feature_cache.ts";
import { clipsOf, type Features, keyOf, spectralExtractor } from "../../evaluation/listen.ts";
import { select, TASKS } from "../../evaluation/selection.ts";
import { openCorpus } from "../../training/corpus.ts";
import { readDataSet, type Segment } from "../../training/manifest.ts";
import { writeTinyCorpus } from "../support/tiny_corpus.ts";

Deno.test("cacheFile() goes by the recordings: a rewritten one is heard again", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const data = await readDataSet(await writeTinyCorpus(folder));
    const clips = clipsOf(select(data.segments, { tasks: new Set(TASKS), repetitions: 9 }));
    const file = async () => {
      const { key } = await openCorpus(data, { cache: join(folder, "cache") });
      assert.ok(key);
      return cacheFile("features", spectralExtractor, { clips, corpus: key });
    };
    const before = await file();
    assert.equal(await file(), before);
    await Deno.utime(join(folder, clips[0].segment.path), 1, 1);
    assert.notEqual(await file(), before);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readFeatures() gives what was written, and nothing of files that are not whole", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "cache/features");
    const clips = ["a.wav", "b.wav"].map((path, i) => ({
      segment: { path, startSample: 0, samples: 0 } as Segment,
      parts: i === 0,
      frames: i === 1,
    }));
    const features: Features = new Map([[
      "plain",
      new Map(clips.map(({ segment, ...keep }, i) => [
        keyOf(segment),
        {
          mean: Float32Array.of(i, 2),
          parts: keep.parts ? Float32Array.of(3, 4) : undefined,
          frames: keep.frames
            ? { frames: 2, width: 2, data: Float32Array.of(5, 6, 7, 8) }
            : undefined,
        },
      ])),
    ]]);
    const read = () => readFeatures(file, { systems: ["plain"], clips });
    assert.equal(await read(), undefined);
    const harms = [
      () => Deno.writeTextFile(`${file}.json`, "[[2, 2"),
      () => Deno.writeTextFile(`${file}.json`, "[[2, 2, 0]]"),
      () => Deno.truncate(`${file}.f32`, 38),
      () => Deno.remove(`${file}.f32`),
    ];
    for (const harm of harms) {
      await writeFeatures(file, features, clips);
      assert.deepEqual(await read(), features);
      await harm();
      assert.equal(await read(), undefined);
    }
    assert.deepEqual([...Deno.readDirSync(join(folder, "cache"))].map(({ name }) => name), [
      "features.json",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
