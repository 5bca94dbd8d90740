/** What all plots over time have in common. */
import type uPlot from "uplot";
import plotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import type { Colours } from "./colours.ts";

let isStyled = false;

/** Gives the page the style sheet of plots. */
export function stylePlots(): void {
  if (isStyled) return;
  isStyled = true;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(plotStyle);
  document.adoptedStyleSheets.push(sheet);
}

/** The look of an axis. */
export function axisOf({ muted, line }: Colours): uPlot.Axis {
  return {
    stroke: muted,
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
    font: "12px system-ui",
  };
}

/** Times as an axis shows them; before the audio there is none. */
export function secondsOf(times: readonly number[]): string[] {
  return times.map((time) => time < 0 ? "" : `${time} s`);
}
