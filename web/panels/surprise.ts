/** The panel "Surprise": how badly past predictions fitted, over time. */
import uPlot from "uplot";
import { byId } from "../dom.ts";
import type { Follower, Taken } from "../follower.ts";
import type { Colours } from "../pictures/colours.ts";
import { axisOf, secondsOf, stylePlots } from "../pictures/plot.ts";
import { COLUMNS } from "../pictures/ring.ts";
import { RecentMean } from "../recent_mean.ts";

/** Negatives of a prediction on a stream (docs/scoring.md): chance is one in 17. */
const CANDIDATES = 17;
const PLOT_PIXELS = 230;
const NOTES = {
  waiting: "Starts once the stream has enough past to compare with, after about 1.5 seconds.",
  off: "Scores are switched off.",
  impossible: "This model has no predictors, so there is nothing to score.",
};

export class SurprisePanel implements Follower {
  readonly #holder = byId("surprise", HTMLElement);
  readonly #note = byId("score-note", HTMLElement);
  #plot: uPlot | undefined;
  #colours: Colours | undefined;
  #mean = new RecentMean();
  #times: number[] = [];
  #surprises: number[] = [];
  #means: number[] = [];

  constructor() {
    stylePlots();
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#holder);
  }

  /** Nats, over the last second. */
  get mean(): number | undefined {
    return this.#mean.value;
  }

  beginVectors(): void {
    this.#mean = new RecentMean();
    this.#times = [];
    this.#surprises = [];
    this.#means = [];
  }

  take({ frames: { score = [], time, every }, ready }: Taken): void {
    for (const [i, row] of score.entries()) {
      if (!row) continue;
      this.#push(time + i * every / ready.frame_rate, row.surprise);
      this.#note.hidden = true;
    }
  }

  /** Says what will appear, or why nothing will. */
  explain({ isOn, isPossible }: { isOn: boolean; isPossible: boolean }): void {
    this.#note.hidden = isOn && this.#times.length > 0;
    this.#note.textContent = NOTES[!isPossible ? "impossible" : isOn ? "waiting" : "off"];
  }

  draw(colours: Colours): void {
    if (colours !== this.#colours) {
      this.#plot?.destroy();
      this.#plot = new uPlot(plotOptions(colours, this.#size()), [[], [], [], []], this.#holder);
      this.#colours = colours;
    }
    const lines = [this.#times, this.#surprises, this.#means] as const;
    const [times, surprises, means] = lines.map((line) => line.slice(-COLUMNS));
    if (!times || !surprises || !means) return;
    this.#plot?.setData([times, surprises, means, times.map(() => Math.log(CANDIDATES))]);
  }

  #push(time: number, surprise: number): void {
    this.#times.push(time);
    this.#surprises.push(surprise);
    this.#means.push(this.#mean.add(surprise));
    if (this.#times.length <= 2 * COLUMNS) return;
    for (const line of [this.#times, this.#surprises, this.#means]) line.splice(0, COLUMNS);
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(200, this.#holder.clientWidth), height: PLOT_PIXELS };
  }
}

function plotOptions(
  colours: Colours,
  size: { width: number; height: number },
): uPlot.Options {
  const axis = axisOf(colours);
  const line = (label: string, look: uPlot.Series): uPlot.Series => ({
    label,
    points: { show: false },
    ...look,
  });
  return {
    ...size,
    scales: {
      x: { time: false },
      y: { range: (_, _low, high) => [0, Math.max(high ?? 0, 4)] },
    },
    legend: { show: false },
    cursor: { show: false },
    axes: [
      { ...axis, size: 28, values: (_, times) => secondsOf(times) },
      { ...axis, size: 36 },
    ],
    series: [
      {},
      line("each frame", { stroke: `${colours.muted}70`, width: 1 }),
      line("mean of a second", { stroke: colours.warm, width: 2.5 }),
      line("chance", { stroke: colours.muted, width: 1, dash: [5, 5] }),
    ],
  };
}
