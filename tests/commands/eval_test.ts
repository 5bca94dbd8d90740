import assert from "node:assert/strict";
import { join } from "node:path";
import { figuresSchema, run, withFolder } from "../support/evaluated.ts";

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

Deno.test("deno task eval: status 2 for command line, weights, data and page", async () => {
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
