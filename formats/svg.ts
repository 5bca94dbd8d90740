/**
 * Charts as SVG text: lines and bars with axes, readable on light and dark pages, since they bring
 * their own background.
 */

/**
 * How values map to places on an axis. `probit` uses quantiles of the normal distribution, for
 * rates in (0, 1).
 */
export type Scale = "linear" | "probit";

/** One axis. */
export interface Axis {
  readonly scale?: Scale;
  /**
   * Lowest and highest value shown; by default those of the data (and 0, on a linear y axis of
   * bars).
   */
  readonly range?: readonly [number, number];
  /** Writes the axis's numbers as percentages of 1. */
  readonly percent?: boolean;
}

/** A chart of lines. */
export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /**
   * Points that are not finite, or outside (0, 1) on a probit axis, are left out and break their
   * line.
   */
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly (readonly [x: number, y: number])[];
  }[];
  readonly x?: Axis;
  readonly y?: Axis;
}

/** A bar: its value, and a range such as a confidence interval. */
export interface Bar {
  readonly value: number;
  readonly interval?: readonly [number, number];
}

/** A chart of groups of bars. */
export interface BarChart {
  readonly title: string;
  readonly yLabel: string;
  readonly groups: readonly string[];
  /** One bar per group; undefined leaves its place empty. */
  readonly series: readonly {
    readonly name: string;
    readonly bars: readonly (Bar | undefined)[];
  }[];
  readonly y?: Axis;
  /** A line across all groups, such as chance. */
  readonly rule?: { readonly name: string; readonly value: number };
}

const WIDTH = 760;
const FRAME = { left: 72, right: 744, top: 44, bottom: 372 } as const;
const LEGEND_TOP = 422;
const LEGEND_LINE = 16;
/** Approximate width of a letter. */
const LETTER = 6.8;
/** Okabe and Ito's colours, which most colour-blind readers can tell apart. */
const COLOURS = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#000000",
  "#7f7f7f",
];
const DASHES = ["", "7 3", "2 3"];

/**
 * Draws lines over one pair of axes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { lineChart } from "./svg.ts";
 *
 * const series = [{ name: "dev", points: [[0, 4.8], [1, 2.6]] as [number, number][] }];
 * const svg = lineChart({ title: "loss", xLabel: "step", yLabel: "nats", series });
 * assert.match(svg, /^<svg/);
 * ```
 */
export function lineChart({ title, xLabel, yLabel, series, x = {}, y = {} }: LineChart): string {
  const shown = (point: readonly [number, number]) =>
    placeable(point[0], x.scale) && placeable(point[1], y.scale);
  const points = series.flatMap((one) => one.points.filter(shown));
  const across = ruler(x, {
    values: points.map(([value]) => value),
    from: FRAME.left,
    to: FRAME.right,
  });
  const up = ruler(y, {
    values: points.map(([, value]) => value),
    from: FRAME.bottom,
    to: FRAME.top,
  });
  const lines = series.map(({ points }, i) => {
    let path = "";
    let pen = "M";
    for (const point of points) {
      if (shown(point)) {
        path += `${pen}${fixed(across.place(point[0]))} ${fixed(up.place(point[1]))}`;
      }
      pen = shown(point) ? "L" : "M";
    }
    return `<path d="${path}" fill="none" stroke="${
      colour(i)
    }" stroke-width="1.8" stroke-linejoin="round" stroke-dasharray="${
      DASHES[Math.floor(i / COLOURS.length) % DASHES.length]
    }"/>`;
  });
  return document(title, [
    ...horizontalGrid(up),
    ...verticalGrid(across),
    `<g clip-path="url(#frame)">${lines.join("\n")}</g>`,
    ...labels(xLabel, yLabel),
  ], legend(series.map(({ name }) => name)));
}

/** Draws groups of bars with whiskers for their intervals. */
export function barChart({ title, yLabel, groups, series, y = {}, rule }: BarChart): string {
  const values = series.flatMap(({ bars }) =>
    bars.flatMap((bar) => bar ? [bar.value, ...bar.interval ?? []] : [])
  );
  const up = ruler(y, {
    values: [0, rule?.value ?? 0, ...values],
    from: FRAME.bottom,
    to: FRAME.top,
  });
  const groupWidth = (FRAME.right - FRAME.left) / groups.length;
  const barWidth = Math.min(48, groupWidth * 0.84 / series.length);
  const parts: string[] = [];
  groups.forEach((group, g) => {
    const centre = FRAME.left + groupWidth * (g + 0.5);
    parts.push(text(group, { x: centre, y: FRAME.bottom + 18, anchor: "middle" }));
    series.forEach(({ name, bars }, i) => {
      const bar = bars[g];
      if (!bar || !Number.isFinite(bar.value)) return;
      const left = centre + (i - series.length / 2) * barWidth;
      const top = up.place(bar.value);
      const label = `${name}, ${group}: ${up.format(bar.value)}`;
      parts.push(
        `<rect x="${fixed(left + 1)}" y="${fixed(top)}" width="${fixed(barWidth - 2)}" height="${
          fixed(FRAME.bottom - top)
        }" fill="${colour(i)}"><title>${escape(label)}</title></rect>`,
      );
      if (bar.interval) parts.push(whisker(left + barWidth / 2, bar.interval.map(up.place)));
    });
  });
  if (rule) {
    const path = `M${FRAME.left} ${fixed(up.place(rule.value))}H${FRAME.right}`;
    parts.push(`<path d="${path}" stroke="#555" stroke-dasharray="5 4"/>`);
  }
  return document(title, [
    ...horizontalGrid(up),
    ...parts,
    ...labels("", yLabel),
  ], legend(series.map(({ name }) => name), rule && `- - ${rule.name}`));
}

interface Ruler {
  readonly ticks: readonly number[];
  place(value: number): number;
  format(value: number): string;
}

/** An axis laid over pixels. */
function ruler(
  { scale = "linear", range, percent }: Axis,
  span: { values: readonly number[]; from: number; to: number },
): Ruler {
  const values = span.values.filter((value) => placeable(value, scale));
  const lowest = values.reduce((a, b) => Math.min(a, b), Infinity);
  const highest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  let [low, high] = range ?? (values.length ? [lowest, highest] : [1 / 4, 3 / 4]);
  if (low === high) {
    [low, high] = scale === "linear" ? [low - 0.5, high + 0.5] : [low / 1.5, high * 1.5];
  }
  const ticks = ticksOf(scale, low, high);
  if (!range && scale === "linear") {
    [low, high] = [Math.min(low, ticks[0]), Math.max(high, ticks[ticks.length - 1])];
  }
  const [a, b] = [warp(low, scale), warp(high, scale)];
  return {
    ticks: ticks.filter((tick) => tick >= low && tick <= high),
    place: (value) => span.from + (span.to - span.from) * (warp(value, scale) - a) / (b - a),
    format: (value) =>
      percent ? `${Number((100 * value).toPrecision(3))} %` : `${Number(value.toPrecision(4))}`,
  };
}

function ticksOf(scale: Scale, low: number, high: number): number[] {
  if (scale === "probit") {
    return [
      0.001,
      0.002,
      0.005,
      0.01,
      0.02,
      0.05,
      0.1,
      0.2,
      0.3,
      0.4,
      0.5,
      0.6,
      0.7,
      0.8,
      0.9,
      0.95,
      0.99,
    ];
  }
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5].find((nice) => nice * power >= rough) ?? 10);
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function placeable(value: number, scale: Scale = "linear"): boolean {
  return Number.isFinite(value) && (scale === "linear" || value > 0 && value < 1);
}

function warp(value: number, scale: Scale): number {
  return scale === "probit" ? probit(value) : value;
}

/** The normal quantile of p in (0, 1), by bisection of [−6, 6]. */
export function probit(p: number): number {
  let [low, high] = [-6, 6];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The normal distribution function, by Abramowitz and Stegun's 7.1.26 (|error| < 1.5e-7). */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x) / Math.SQRT2);
  const poly = t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = poly * Math.exp(-x * x / 2) / 2;
  return x < 0 ? tail : 1 - tail;
}

interface Legend {
  readonly parts: readonly string[];
  /** The baseline of its last line. */
  readonly bottom: number;
}

function document(
  title: string,
  parts: readonly string[],
  { parts: names, bottom }: Legend,
): string {
  const height = bottom + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12">
<title>${escape(title)}</title>
<clipPath id="frame"><rect x="${FRAME.left}" y="${FRAME.top}" width="${
    FRAME.right - FRAME.left
  }" height="${FRAME.bottom - FRAME.top}"/></clipPath>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${text(title, { x: FRAME.left, y: 22, weight: 600 })}
${[...parts, ...names].filter(Boolean).join("\n")}
</svg>
`;
}

function horizontalGrid(up: Ruler): string[] {
  return up.ticks.flatMap((tick) => [
    line([FRAME.left, up.place(tick)], [FRAME.right, up.place(tick)], "#ddd"),
    text(up.format(tick), { x: FRAME.left - 7, y: up.place(tick) + 4, anchor: "end" }),
  ]);
}

function verticalGrid(across: Ruler): string[] {
  return across.ticks.flatMap((tick) => [
    line([across.place(tick), FRAME.top], [across.place(tick), FRAME.bottom], "#ddd"),
    text(across.format(tick), { x: across.place(tick), y: FRAME.bottom + 18, anchor: "middle" }),
  ]);
}

function labels(xLabel: string, yLabel: string): string[] {
  const [x, y] = [(FRAME.left + FRAME.right) / 2, (FRAME.top + FRAME.bottom) / 2];
  return [
    text(xLabel, { x, y: FRAME.bottom + 36, anchor: "middle" }),
    `<g transform="translate(18 ${y}) rotate(-90)">${
      text(yLabel, { x: 0, y: 0, anchor: "middle" })
    }</g>`,
  ];
}

/** Names beside their colours, below the frame, in as many lines as they need. */
function legend(names: readonly string[], note?: string): Legend {
  const parts: string[] = [];
  let [x, y] = [FRAME.left, LEGEND_TOP];
  const room = (width: number) => {
    if (x > FRAME.left && x + width > FRAME.right) [x, y] = [FRAME.left, y + LEGEND_LINE];
    const left = x;
    x += width;
    return left;
  };
  names.forEach((name, i) => {
    const left = room(32 + LETTER * name.length);
    parts.push(
      `<rect x="${fixed(left)}" y="${y - 8}" width="12" height="8" fill="${colour(i)}"/>`,
      text(name, { x: left + 16, y }),
    );
  });
  if (note) parts.push(text(note, { x: room(LETTER * note.length), y }));
  return { parts, bottom: y };
}

function whisker(x: number, [low, high]: readonly number[]): string {
  const bar = `M${fixed(x)} ${fixed(low)}V${fixed(high)}M${fixed(x - 4)} ${fixed(low)}h8M${
    fixed(x - 4)
  } ${fixed(high)}h8`;
  return `<path d="${bar}" stroke="#222" stroke-width="1.2" fill="none"/>`;
}

function line([x1, y1]: readonly number[], [x2, y2]: readonly number[], stroke: string): string {
  return `<line x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${
    fixed(y2)
  }" stroke="${stroke}"/>`;
}

function text(
  content: string,
  { x, y, anchor = "start", weight = 400 }: {
    x: number;
    y: number;
    anchor?: "start" | "middle" | "end";
    weight?: number;
  },
): string {
  if (!content) return "";
  const place = `x="${fixed(x)}" y="${fixed(y)}"`;
  return `<text ${place} text-anchor="${anchor}" font-weight="${weight}" fill="#222">${
    escape(content)
  }</text>`;
}

function colour(i: number): string {
  return COLOURS[i % COLOURS.length];
}

function fixed(value: number): string {
  return `${Number(value.toFixed(1))}`;
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
