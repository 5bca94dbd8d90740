import assert from "node:assert/strict";
import { barChart, lineChart } from "../../formats/svg.ts";
import { probit } from "../../formats/svg_axis.ts";

const pathOf = (svg: string) => /<path d="([^"]*)" fill="none" stroke="#0072b2"/.exec(svg)?.[1];

Deno.test("lineChart() lays points over the frame, the first and last at its edges", () => {
  const svg = lineChart({
    title: "t",
    xLabel: "x",
    yLabel: "y",
    series: [{ name: "a", points: [[0, 0], [50, 5], [100, 10]] }],
  });
  assert.equal(pathOf(svg), "M72 372L408 208L744 44");
});

Deno.test("lineChart() on a probit axis puts equal steps of quantiles at equal distances", () => {
  const base = { title: "t", xLabel: "x", yLabel: "y" };
  const det = lineChart({
    ...base,
    x: { scale: "probit", range: [0.1, 0.9] },
    series: [{ name: "a", points: [[0.1, 0], [0.5, 1], [0.9, 2]] }],
  });
  assert.equal(pathOf(det), "M72 372L408 208L744 44");
});

Deno.test("lineChart() breaks a line where a value cannot be shown", () => {
  const svg = lineChart({
    title: "t",
    xLabel: "x",
    yLabel: "y",
    series: [{ name: "a", points: [[0, 0], [1, 1], [2, NaN], [3, 1], [4, 2]] }],
  });
  assert.equal(pathOf(svg)?.replaceAll(/[^ML]/g, ""), "MLML");
});

Deno.test("charts escape what they are given, and survive having nothing to show", () => {
  const svg = lineChart({
    title: `<&">`,
    xLabel: "x",
    yLabel: "y",
    series: [{ name: "<b>", points: [] }],
  });
  assert.match(svg, /&lt;&amp;&quot;&gt;/);
  assert.doesNotMatch(svg, /<b>|NaN|Infinity/);
});

Deno.test("barChart() draws heights in proportion, whiskers, and leaves missing bars out", () => {
  const svg = barChart({
    title: "t",
    yLabel: "y",
    groups: ["one", "two"],
    series: [{ name: "a", bars: [{ value: 4 }, { value: 2, interval: [1, 3] }] }, {
      name: "b",
      bars: [{ value: 4 }, undefined],
    }],
    y: { range: [0, 4] },
  });
  const heights = [...svg.matchAll(/height="([\d.]+)" fill="#[0-9a-f]{6}"><title>/g)].map((
    [, height],
  ) => Number(height));
  assert.deepEqual(heights, [328, 328, 164]);
  assert.match(svg, /M\S+ 290V126M/); // 1 and 3 of 4
});

Deno.test("probit() inverts the normal distribution", () => {
  for (const [p, x] of [[0.5, 0], [0.975, 1.959964], [0.001, -3.090232]]) {
    assert.ok(Math.abs(probit(p) - x) < 1e-4);
  }
});
