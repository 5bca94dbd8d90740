/** Parts of charts: the frame, grids, texts, legends, colours. */
import type { Ruler } from "./svg_axis.ts";

const WIDTH = 760;
/** Edges of the plot, in pixels. */
export const FRAME = { left: 72, right: 744, top: 44, bottom: 372 } as const;
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

/** A drawn legend. */
export interface Legend {
  readonly parts: readonly string[];
  /** The baseline of its last line. */
  readonly bottom: number;
}

/** The whole picture, with its background. */
export function document(
  title: string,
  parts: readonly string[],
  { parts: names, bottom }: Legend,
): string {
  const height = bottom + 8;
  const size = `viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`;
  const font = 'font-family="system-ui, sans-serif" font-size="12"';
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" ${font}>
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

/** Lines and numbers of a vertical axis. */
export function horizontalGrid(up: Ruler): string[] {
  return up.ticks.flatMap((tick) => [
    line([FRAME.left, up.place(tick)], [FRAME.right, up.place(tick)], "#ddd"),
    text(up.format(tick), { x: FRAME.left - 7, y: up.place(tick) + 4, anchor: "end" }),
  ]);
}

/** Lines and numbers of a horizontal axis. */
export function verticalGrid(across: Ruler): string[] {
  return across.ticks.flatMap((tick) => [
    line([across.place(tick), FRAME.top], [across.place(tick), FRAME.bottom], "#ddd"),
    text(across.format(tick), { x: across.place(tick), y: FRAME.bottom + 18, anchor: "middle" }),
  ]);
}

/** What the axes show. */
export function labels(xLabel: string, yLabel: string): string[] {
  const [x, y] = [(FRAME.left + FRAME.right) / 2, (FRAME.top + FRAME.bottom) / 2];
  return [
    text(xLabel, { x, y: FRAME.bottom + 36, anchor: "middle" }),
    `<g transform="translate(18 ${y}) rotate(-90)">${
      text(yLabel, { x: 0, y: 0, anchor: "middle" })
    }</g>`,
  ];
}

/** Names beside their colours, below the frame, in as many lines as they need. */
export function legend(names: readonly string[], note?: string): Legend {
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

/** A bar's interval, at x and between two heights in pixels. */
export function whisker(x: number, [low, high]: readonly [number, number]): string {
  const bar = `M${fixed(x)} ${fixed(low)}V${fixed(high)}M${fixed(x - 4)} ${fixed(low)}h8M${
    fixed(x - 4)
  } ${fixed(high)}h8`;
  return `<path d="${bar}" stroke="#222" stroke-width="1.2" fill="none"/>`;
}

type Place = readonly [x: number, y: number];

function line([x1, y1]: Place, [x2, y2]: Place, stroke: string): string {
  return `<line x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${
    fixed(y2)
  }" stroke="${stroke}"/>`;
}

/** A line of text at a place in pixels. */
export function text(
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

/** The colour of the i-th series. */
export function colour(i: number): string {
  return COLOURS[i % COLOURS.length] ?? "#000000";
}

/** Its dashes, which tell series apart once the colours repeat. */
export function dashes(i: number): string {
  return DASHES[Math.floor(i / COLOURS.length) % DASHES.length] ?? "";
}

/** A number with at most one decimal. */
export function fixed(value: number): string {
  return `${Number(value.toFixed(1))}`;
}

/** Text, escaped for XML. */
export function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
