import assert from "node:assert/strict";
import { join } from "node:path";
import { z } from "zod";
import { evaluate } from "../../commands/eval.ts";
import { writeSafetensors } from "../../model/safetensors.ts";
import { PAGE_MARKS } from "../../evaluation/page.ts";
import { randomWeights, tinyConfig } from "../support/models.ts";
import { writeTinyCorpus } from "../support/tiny_corpus.ts";
import { maxDifference } from "../support/golden.ts";

/** Runs a test with a folder that holds the model `tiny` and recordings. */
async function withFolder(use: (folder: string, manifest: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "tiny"));
    await Deno.writeTextFile(join(folder, "tiny/config.json"), JSON.stringify(tinyConfig));
    await Deno.writeFile(
      join(folder, "tiny/model.safetensors"),
      writeSafetensors(randomWeights(tinyConfig, 21).tensors),
    );
    await use(folder, await writeTinyCorpus(folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Exit status, and what was written to standard output and standard error. */
async function run(...args: string[]): Promise<{ status: number; out: string; said: string }> {
  const { error, log } = console;
  let [out, said] = ["", ""];
  console.error = (line: string) => said += `${line}\n`;
  console.log = (line: string) => out += `${line}\n`;
  try {
    return { status: await evaluate([...args, "--workers", "1"]), out, said };
  } finally {
    [console.error, console.log] = [error, log];
  }
}

const estimateSchema = z.object({
  value: z.number(),
  interval: z.tuple([z.number(), z.number()]),
  count: z.int(),
  speakers: z.int(),
});
const comparedSchema = z.object({ raw: estimateSchema, standardised: estimateSchema });
const figuresSchema = z.array(
  z.object({ task: z.string(), system: z.string(), set: z.string(), figures: z.unknown() }),
);

const NUMBER = /-?\d+(\.\d+)?(e[+-]\d+)?/g;
const numbersOf = (text: string) => Array.from(text.matchAll(NUMBER), ([number]) => Number(number));

Deno.test("deno task eval: every task on every kind of feature, tables, charts, the page; the same again from the cache", async () => {
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

Deno.test("deno task eval --only: that task alone, on standard output and into --out", async () => {
  await withFolder(async (folder, manifest) => {
    const out = join(folder, "new/out");
    const said = await run(
      "--model",
      join(folder, "tiny"),
      "--manifest",
      manifest,
      "--out",
      out,
      "--only",
      "words",
    );
    assert.equal(said.status, 0, said.said);
    assert.equal(await Deno.readTextFile(join(out, "evaluation.md")), said.out);
    assert.deepEqual(said.out.match(/^## \w+/gm), ["## Words"]);
    const written = figuresSchema.parse(
      JSON.parse(await Deno.readTextFile(join(out, "evaluation.json"))),
    );
    assert.ok(written.length > 0 && written.every(({ task }) => task === "words"));
  });
});

Deno.test("deno task eval: status 2 for the command line, the weights, the data and the page, 0 for --help", async () => {
  await withFolder(async (folder, manifest) => {
    const model = ["--model", join(folder, "tiny")];
    const data = ["--manifest", manifest];
    const page = join(folder, "page.md");
    await Deno.writeTextFile(page, "no marks\n");
    await Deno.writeTextFile(
      join(folder, "other.csv"),
      "path,speaker\nread/dev-120-0.wav,someone\n",
    );
    const cases: [string[], RegExp][] = [
      [model, /--manifest FILE/],
      [[...model, ...data, "--colour"], /--colour/],
      [
        [...model, ...data, "--only", "speech"],
        /--only takes a comma list of verification, .*"speech"/,
      ],
      [
        [...model, ...data, "--repetitions", "some"],
        /--repetitions takes a whole number of 2 or more, got "some"/,
      ],
      [[...model, ...data, "--page", page], /--page requires --out/],
      [
        [...model, ...data, "--page", page, "--out", folder],
        /page\.md must have the lines <!-- begin/,
      ],
      [
        [...model, ...data, "--page", join(folder, "none.md"), "--out", folder],
        /--page: cannot read .*none\.md/,
      ],
      [["--model", join(folder, "none"), ...data], /no config\.json/],
      [[...model, "--manifest", join(folder, "none.csv")], /none\.csv/],
      [
        [...model, "--manifest", join(folder, "other.csv")],
        /no recordings of the sources librispeech/,
      ],
      [[...model, ...data, "--engine", "steam"], /--engine takes/],
    ];
    for (const [args, message] of cases) {
      const { status, said } = await run(...args);
      assert.equal(status, 2, said);
      assert.match(said, message);
    }
  });
  const { status, out } = await run("--help");
  assert.equal(status, 0);
  assert.match(out, /--manifest FILE [^]*CPC_MANIFEST/);
});
