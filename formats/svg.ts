/**
 * Charts as SVG text: lines and bars with axes, readable on light and dark pages, since they bring
 * their own background.
 */
import { type Axis, placeable, ruler } from "./svg_axis.ts";
import {
  colour,
  dashes,
  document,
  escape,
  fixed,
  FRAME,
  horizontalGrid,
  labels,
  legend,
  text,
  verticalGrid,
  whisker,
} from "./svg_marks.ts";

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
    }" stroke-width="1.8" stroke-linejoin="round" stroke-dasharray="${dashes(i)}"/>`;
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
      if (bar.interval) {
        const [low, high] = bar.interval;
        parts.push(whisker(left + barWidth / 2, [up.place(low), up.place(high)]));
      }
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
