import assert from "node:assert/strict";
import { join } from "node:path";
import { z } from "zod";
import { PAGE_MARKS } from "../../evaluation/page.ts";
import { figuresSchema, run, withFolder } from "../support/evaluated.ts";
import { maxDifference } from "../support/golden.ts";

const estimateSchema = z.object({
  value: z.number(),
  interval: z.tuple([z.number(), z.number()]),
  count: z.int(),
  speakers: z.int(),
});
const comparedSchema = z.object({ raw: estimateSchema, standardised: estimateSchema });
const NUMBER = /-?\d+(\.\d+)?(e[+-]\d+)?/g;
const numbersOf = (text: string) => Array.from(text.matchAll(NUMBER), ([number]) => Number(number));

Deno.test("deno task eval: tasks, features, tables, charts; again from the cache", async () => {
  await withFolder(async (folder, manifest) => {
    const [out, page] = [join(folder, "docs/evaluation"), join(folder, "docs/page.md")];
    await Deno.mkdir(join(folder, "docs"));
    await Deno.writeTextFile(page, `# before\n${PAGE_MARKS[0]}\nold\n${PAGE_MARKS[1]}\nafter\n`);
    const args = [
      "--model",
      join(folder, "tiny"),
      "--manifest",
      manifest,
      "--out",
      out,
      "--page",
      page,
      "--cache",
      join(folder, "c"),
    ];
    const first = await run(...args);
    assert.equal(first.status, 0, first.said);
    assert.match(first.said, /log-mel: .* s$/m);

    const text = await Deno.readTextFile(join(out, "evaluation.json"));
    const figures = figuresSchema.parse(JSON.parse(text));
    const systems = [
      "tiny context",
      "tiny latent",
      "untrained context",
      "untrained latent",
      "MFCC",
      "MFCC, slopes",
      "log-mel",
    ];
    for (const task of ["verification", "identification"]) {
      for (const set of ["librispeech", "arabic_speech_commands"]) {
        const rows = figures.filter((figure) => figure.task === task && figure.set === set);
        assert.deepEqual(rows.map(({ system }) => system), systems);
        for (const { figures } of rows) {
          const { raw, standardised } = comparedSchema.parse(figures);
          assert.equal(raw.speakers, 3);
          for (const { value, interval: [low, high] } of [raw, standardised]) {
            assert.ok(low <= value && value <= high);
          }
        }
      }
    }
    const of = (task: string, system: string) =>
      figures.find((figure) => figure.task === task && figure.system === system)?.figures;
    assert.equal(comparedSchema.parse(of("verification", "MFCC")).raw.value, 0); // voices far apart
    const words = estimateSchema.parse(of("words", "MFCC"));
    assert.deepEqual([words.value, words.count], [1, 27]);
    assert.ok(
      z.object({ within: comparedSchema }).parse(of("abx", "MFCC")).within.raw.value < 0.05,
    );
    const predicted = figures.filter(({ task }) => task === "nce").map(({ system, set }) =>
      `${system}, ${set}`
    );
    const sets = ["dev", "test", "test as recorded"];
    assert.deepEqual(predicted, [
      ...sets.map((set) => `tiny, ${set}`),
      ...sets.map((set) => `untrained, ${set}`),
    ]);
    assert.equal(
      z.object({ steps: z.array(z.unknown()) }).parse(of("nce", "tiny")).steps.length,
      3,
    );

    const written = await Deno.readTextFile(page);
    assert.match(written, /^# before\n/);
    assert.match(written, /\nafter\n$/);
    assert.doesNotMatch(written, /\nold\n/);
    assert.ok(written.includes(first.out.trim()));
    for (const chart of ["verification", "words", "abx", "prediction"]) {
      assert.ok(written.includes(`(evaluation/${chart}.svg)`));
      assert.match(await Deno.readTextFile(join(out, `${chart}.svg`)), /^<svg/);
    }

    const again = await run(...args);
    assert.equal(again.status, 0, again.said);
    assert.doesNotMatch(again.said, /log-mel: .* s$/m);
    // windows that share other steps than before round differently
    const textAgain = await Deno.readTextFile(join(out, "evaluation.json"));
    assert.equal(textAgain.replaceAll(NUMBER, "#"), text.replaceAll(NUMBER, "#"));
    assert.ok(maxDifference(numbersOf(textAgain), numbersOf(text)) <= 1e-6);
    assert.equal(await Deno.readTextFile(page), written);
  });
});
