/** Curves of some numbers over the last seconds, with a legend that says their newest values. */
import uPlot from "uplot";
import { type Colours, CURVES } from "./colours.ts";
import { axisOf, secondsOf, stylePlots } from "./plot.ts";
import { SHOWN_SECONDS } from "./ring.ts";

/** Curves differ in these too, for whom colours do not. */
const DASHES: readonly number[][] = [[], [9, 4], [2, 3], [9, 3, 2, 3], [5, 3], [12, 3]];
const PIXELS = { height: 120, axis: 24, line: 2 };

/** What curves are of. */
export interface CurvesOptions {
  readonly title: string;
  readonly labels: readonly string[];
  /** Points a second. */
  readonly rate: number;
}

/** One plot. The right edge of its box is now, as in the waveform and the map of vectors. */
export class Curves {
  readonly element = document.createElement("figure");
  readonly #labels: readonly string[];
  readonly #rate: number;
  readonly #holder = document.createElement("div");
  readonly #values: HTMLElement[] = [];
  #plot: uPlot | undefined;
  #colours: Colours | undefined;
  #now = 0;
  #times: number[] = [];
  /** One list for each label. */
  #lines: number[][];

  constructor({ title, labels, rate }: CurvesOptions) {
    stylePlots();
    this.#labels = labels;
    this.#rate = rate;
    this.#lines = labels.map(() => []);
    const caption = document.createElement("figcaption");
    const isNamedTwice = labels.length === 1 && labels[0] === title;
    caption.append(isNamedTwice ? "" : `${title} `, this.#legend());
    this.#holder.className = "curves";
    this.#holder.role = "img";
    this.#holder.ariaLabel = `${title} over the last ${SHOWN_SECONDS} seconds: ${
      labels.join(", ")
    }`;
    this.element.append(caption, this.#holder);
  }

  /** Adds a point of every curve. */
  push(time: number, numbers: readonly number[]): void {
    this.#times.push(time);
    for (const [i, line] of this.#lines.entries()) line.push(numbers[i] ?? NaN);
    const most = SHOWN_SECONDS * this.#rate;
    if (this.#times.length <= 2 * most) return;
    for (const line of [this.#times, ...this.#lines]) line.splice(0, line.length - most);
  }

  /** @param now in seconds, at the right edge */
  draw(colours: Colours, now: number): void {
    this.#now = now;
    if (colours !== this.#colours) {
      this.#plot?.destroy();
      this.#plot = new uPlot(this.#options(colours), this.#data(), this.#holder);
      this.#colours = colours;
    }
    const { clientWidth: width } = this.#holder;
    if (width !== this.#plot?.width) this.#plot?.setSize({ width, height: PIXELS.height });
    this.#plot?.setData(this.#data());
  }

  /** Writes the newest values. */
  tell(): void {
    for (const [i, value] of this.#values.entries()) {
      value.textContent = this.#lines[i]?.at(-1)?.toFixed(2) ?? "–";
    }
  }

  #data(): uPlot.AlignedData {
    const most = Math.ceil(SHOWN_SECONDS * this.#rate) + 1;
    return [this.#times.slice(-most), ...this.#lines.map((line) => line.slice(-most))];
  }

  #legend(): HTMLElement {
    const list = document.createElement("ul");
    list.className = "legend";
    for (const [i, label] of this.#labels.entries()) {
      const item = document.createElement("li");
      const value = document.createElement("b");
      this.#values.push(value);
      item.append(swatch(i), `${label} `, value);
      list.append(item);
    }
    this.tell();
    return list;
  }

  #options(colours: Colours): uPlot.Options {
    const axis = axisOf(colours);
    return {
      width: Math.max(1, this.#holder.clientWidth),
      height: PIXELS.height,
      padding: [4, 0, 0, 0],
      scales: {
        x: { time: false, range: () => [this.#now - SHOWN_SECONDS, this.#now] },
        // probabilities keep their scale
        y: { range: (_, low, high) => [Math.min(low ?? 0, 0), Math.max(high ?? 1, 1)] },
      },
      hooks: { draw: [(plot) => writeRange(plot, colours)] },
      legend: { show: false },
      cursor: { show: false },
      axes: [
        { ...axis, size: PIXELS.axis, values: (_, times) => secondsOf(times) },
        { ...axis, size: 0, values: (_, numbers) => numbers.map(() => "") },
      ],
      series: [
        {},
        ...this.#labels.map((label, i) => ({
          label,
          stroke: colours.curves[i % CURVES],
          dash: dashesOf(i),
          width: PIXELS.line,
          points: { show: false },
        })),
      ],
    };
  }
}

/** Writes the ends of the scale into the plot, whose whole width is time. */
function writeRange({ ctx, bbox, scales }: uPlot, { muted }: Colours): void {
  const { min = 0, max = 1 } = scales.y ?? {};
  const pixel = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = muted;
  ctx.font = `${12 * pixel}px system-ui`;
  ctx.textAlign = "left";
  const text = (value: number | null) => Number((value ?? 0).toPrecision(3)).toString();
  ctx.textBaseline = "top";
  ctx.fillText(text(max), bbox.left + 2 * pixel, bbox.top + 2 * pixel);
  ctx.textBaseline = "bottom";
  ctx.fillText(text(min), bbox.left + 2 * pixel, bbox.top + bbox.height - 2 * pixel);
  ctx.restore();
}

/** The dashes of curve `index`; other ones for each round of colours. */
function dashesOf(index: number): number[] {
  return DASHES[(index + Math.floor(index / CURVES)) % DASHES.length] ?? [];
}

/** A piece of the curve, for the legend. */
function swatch(index: number): SVGElement {
  const make = (name: "svg" | "line", attributes: Record<string, string>) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const svg = make("svg", { viewBox: "0 0 26 6", class: "swatch", "aria-hidden": "true" });
  const dashes = dashesOf(index).join(" ");
  svg.append(make("line", {
    x1: "0",
    y1: "3",
    x2: "26",
    y2: "3",
    "stroke-width": "3",
    class: `curve-${index % CURVES}`,
    ...(dashes && { "stroke-dasharray": dashes }),
  }));
  return svg;
}
