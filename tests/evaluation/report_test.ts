import assert from "node:assert/strict";
import { PAGE_MARKS, withTables } from "../../evaluation/page.ts";
import { report, type Result } from "../../evaluation/report.ts";

const estimate = (value: number) => ({
  value,
  interval: [value / 2, value * 2] as const,
  count: 1234,
  speakers: 5,
});
const both = (value: number) => ({
  raw: estimate(value),
  standardised: { ...estimate(value / 3), interval: undefined },
  scaledBy: 7,
});

Deno.test("report() shows figures with intervals in fitting tables, and holes for none", () => {
  const results: Result[] = [
    {
      task: "verification",
      system: "a",
      set: "librispeech",
      figures: both(0.1),
      det: [[0, 1], [0.1, 0.1], [1, 0]],
    },
    { task: "verification", system: "a", set: "other", figures: both(0.2), det: [] },
    { task: "verification", system: "longer", set: "other", figures: both(0.3), det: [] },
    {
      task: "words",
      system: "a",
      set: "other",
      figures: { ...estimate(0.4), penalty: 0.1, devAccuracy: 0.5 },
      chance: 0.025,
    },
    {
      task: "nce",
      system: "a",
      set: "dev",
      figures: { nce: estimate(2), steps: [{ k: 1, nce: 2, accuracy: 0.25 }], windows: 4 },
    },
    {
      task: "nce",
      system: "b",
      set: "dev",
      figures: {
        nce: estimate(3),
        steps: [1, 2].map((k) => ({ k, nce: 3, accuracy: k / 10 })),
        windows: 4,
      },
    },
  ];
  const { markdown, charts } = report(results, { charts: "folder/" });
  const rows = (heading: string) =>
    markdown.split(`## ${heading}`)[1].split(/##|Accuracy of each k/)[0].split("\n").filter((
      line,
    ) => line.startsWith("|"));
  const [head, rule, first, second] = rows("Speaker verification");
  assert.match(
    head,
    /^\| features \| LibriSpeech \(5 speakers, 1,234 pairs\) \| standardised by 7 \| other \(5/,
  );
  assert.match(rule, /^\| -{8} \| -+ \|/);
  assert.match(first, /^\| a {8}\| 10\.0 \(5\.0–20\.0\) +\| 3\.3 +\| 20\.0/);
  assert.match(second, /^\| longer {3}\|  +\|  +\| 30\.0/);
  for (const heading of ["Speaker verification", "Words", "Prediction"]) {
    assert.equal(new Set(rows(heading).map((row) => row.length)).size, 1);
  }
  assert.match(rows("Prediction")[2], /\| 4 +\| 2\.000 \(1\.00–4\.00\) \| 2\.00 +\| +\|$/);
  assert.match(
    markdown,
    /Accuracy of each k, %:\n\n.*k = 2 \|\n.*\n\| a, dev +\| 25\.0 +\| +\|\n\| b, dev +\| 10\.0 +\| 20\.0 +\|/,
  );
  assert.deepEqual([...charts.keys()], ["verification.svg", "words.svg", "prediction.svg"]);
  for (const file of charts.keys()) assert.ok(markdown.includes(`](folder/${file})`));
  assert.deepEqual(report([], { charts: "" }), { markdown: "", charts: new Map() });
});

Deno.test("withTables() changes what is between the marks, and refuses pages without", () => {
  const [begin, end] = PAGE_MARKS;
  const page = withTables(`a\n${begin}\nold\n${end}\nb\n`, { tables: "new", name: "page" });
  assert.equal(page, `a\n${begin}\n\nnew\n\n${end}\nb\n`);
  assert.equal(withTables(page, { tables: "new", name: "page" }), page);
  for (
    const wrong of [
      "",
      begin,
      `${end}${begin}`,
      `${begin}${end}${begin}${end}`,
      `${begin}${end}${end}`,
    ]
  ) {
    assert.throws(
      () => withTables(wrong, { tables: "", name: "my page" }),
      /my page must have the lines/,
    );
  }
});
