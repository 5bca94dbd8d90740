import assert from "node:assert/strict";
import { checkFiles, checkSpans, labelsOf, parseLabels } from "../../../training/heads/labels.ts";
import { withTempFolder } from "../../support/corpus.ts";
import { holdOut, rowLabels, UNLABELLED } from "../../../training/heads/rows.ts";

const SPANS = "path,start_s,end_s,label\n";

Deno.test("parseLabels() reads spans in order, and labels of whole recordings", () => {
  const [a, b] = parseLabels(`${SPANS}a.wav,2,3.5,yes\nb.wav,0,1,no\na.wav,0.5,1,no\n`, "x.csv");
  assert.equal(a.path, "a.wav");
  assert.deepEqual(a.spans.map(({ start, end, label, line }) => [start, end, label, line]), [
    [0.5, 1, "no", 4],
    [2, 3.5, "yes", 2],
  ]);
  assert.equal(b.spans[0].label, "no");
  const whole = parseLabels("path,label,speaker,split\na,x,s,train\nb,y,t,dev\n", "x.csv");
  assert.deepEqual(
    whole.map(({ spans: [{ start, end }], speaker, split }) => [
      start,
      end,
      speaker,
      split,
    ]),
    [[0, Infinity, "s", "train"], [0, Infinity, "t", "dev"]],
  );
  assert.deepEqual(labelsOf(whole), ["x", "y"]);
});

for (
  const [what, text, message] of [
    ["an empty file", "", /x\.csv has no rows/],
    ["a file without rows", SPANS, /x\.csv has no rows: its columns are path,start_s/],
    ["an unknown column", "path,labl\na,b\n", /has a column "labl": its columns are/],
    ["a start without an end", "path,start_s,label\na,1,b\n", /one of start_s and end_s/],
    ["no label column", "path\na\nb\n", /line 2, column label/],
    ["an empty label", "path,label\na,\n", /line 2, column label: a label/],
    ["an empty path", "path,label\n,b\n", /line 2, column path: a path/],
    ["a negative time", `${SPANS}a,-1,2,b\n`, /line 2, column start_s: a number of seconds/],
    [
      "a span backwards",
      `${SPANS}a,0,1,b\na,3,2,c\n`,
      /line 3: the span ends at 2 s, it starts at 3/,
    ],
    ["an empty span", `${SPANS}a,2,2,b\n`, /line 2: the span ends at 2 s/],
    [
      "spans that overlap",
      `${SPANS}a,0,2,b\na,1,3,c\n`,
      /line 3: the span overlaps another one of a/,
    ],
    ["one label only", `${SPANS}a,0,2,b\nc,1,3,b\n`, /the label "b" only: a head needs two/],
    ["a row too short", `${SPANS}a,0,2\n`, /cannot read the labels x\.csv/],
    ["two speakers of one recording", "path,label,speaker\na,b,1\na,c,2\n", /another speaker or/],
    ["an unknown split", "path,label,split\na,b,trian\n", /line 2, column split/],
  ] as const
) {
  Deno.test(`parseLabels() refuses ${what}`, () => {
    assert.throws(() => parseLabels(text, "x.csv"), { code: "invalid_option", message });
  });
}

Deno.test("checkFiles() takes paths that are absolute, or relative to the labels", async () => {
  await withTempFolder(async (root) => {
    await Deno.writeTextFile(`${root}/a.wav`, "");
    const text = `path,label\na.wav,x\n${root}/a.wav,y\n`;
    await checkFiles({ root, recordings: parseLabels(text, "x.csv") });
    const recordings = parseLabels(`path,label\na.wav,x\n${root}/b.wav,y\n`, "x.csv");
    await assert.rejects(checkFiles({ root, recordings }), /line 3 of the labels: .*b\.wav/);
  });
});

Deno.test("checkSpans() refuses a span beyond its recording, by its line", () => {
  const recordings = parseLabels(`${SPANS}a,0,1,x\na,1,2.005,y\n`, "x.csv");
  checkSpans({ root: "", recordings }, () => 2);
  assert.throws(() => checkSpans({ root: "", recordings }, () => 1.9), {
    code: "invalid_option",
    message: /line 3 of the labels: the span ends at 2.005 s, but a lasts 1.900 s/,
  });
  const whole = parseLabels("path,label\na,x\nb,y\n", "x.csv");
  checkSpans({ root: "", recordings: whole }, () => 0.1);
});

Deno.test("rowLabels() gives a row the label of the span that holds its middle", () => {
  const classes = new Map([["x", 0], ["y", 1]]);
  const span = (start: number, end: number, label: string) => ({ start, end, label, line: 1 });
  const labels = rowLabels([span(0.006, 0.025, "x"), span(0.025, 0.045, "y")], {
    rows: 6,
    rowS: 0.01,
    classes,
  });
  const middles = [0.005, 0.015, 0.025, 0.035, 0.045, 0.055];
  assert.deepEqual(
    [...labels],
    middles.map((middle) => {
      if (middle >= 0.006 && middle < 0.025) return 0;
      return middle >= 0.025 && middle < 0.045 ? 1 : UNLABELLED;
    }),
  );
  assert.deepEqual(
    [...rowLabels([span(0, Infinity, "y")], { rows: 2, rowS: 0.1, classes })],
    [1, 1],
  );
});

/** A recording of a speaker with labels. */
const said = (path: string, speaker: string, labels: string[], split?: "dev" | "test") => ({
  path,
  speaker,
  split,
  spans: labels.map((label, i) => ({ start: i, end: i + 1, label, line: i })),
});

Deno.test("holdOut() holds whole speakers out, and no label's last one", () => {
  const recordings = Array.from(
    { length: 20 },
    (_, i) => said(`${i}`, `s${i % 10}`, i % 10 === 3 ? ["x", "rare"] : ["x", "y"]),
  );
  const { by, heldOut } = holdOut(recordings, 1);
  assert.equal(by, "speaker");
  assert.equal(heldOut.size, 4);
  const speakers = new Set([...heldOut].map((path) => Number(path) % 10));
  assert.equal(speakers.size, 2);
  assert.ok(!speakers.has(3), "the only speaker of rare stays");
  assert.deepEqual(holdOut(recordings, 1).heldOut, heldOut);
  const others = Array.from({ length: 5 }, (_, seed) => [...holdOut(recordings, seed).heldOut]);
  assert.ok(new Set(others.map(String)).size > 1, "the seed decides");
});

Deno.test("holdOut() follows the column split, else takes recordings, else time", () => {
  const split = [
    said("a", "s", ["x", "y"]),
    said("b", "t", ["x"], "dev"),
    said("c", "", ["x"], "test"),
  ];
  const given = holdOut(split, 1);
  assert.deepEqual([given.by, [...given.heldOut], [...given.test]], ["split", ["b"], ["c"]]);
  const files = ["a", "b", "c"].map((path) => said(path, "", ["x", "y"]));
  assert.deepEqual([holdOut(files, 1).by, holdOut(files, 1).heldOut.size], ["recording", 1]);
  const alone = holdOut([said("a", "", ["x"]), said("b", "", ["y"])], 1);
  assert.deepEqual([alone.by, alone.heldOut.size], ["time", 0]);
});
