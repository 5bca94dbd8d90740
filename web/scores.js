/** Surprise over time as a plot, and the accuracy of each step. */
import uPlot from "/assets/uplot.js";
import { COLUMNS, ScrollMap } from "./plots.js";

/** Competitors of a prediction on a stream, docs/scoring.md: chance is one in 17. */
const CANDIDATES = 17;
const SMOOTH_FRAMES = 100;
const ROW_PIXELS = 18;
const PLOT_PIXELS = 230;

/** What the scores of a stream look like. */
export class Scores {
  /** Mean surprise over the last second; undefined before there is any. */
  surprise;
  #holder;
  #body;
  #canvas;
  #plot;
  #map;
  #times = [];
  #raw = [];
  #smooth = [];
  #accuracy = [];
  #steps = [];
  #cells = [];

  constructor({ holder, canvas, body }) {
    this.#holder = holder;
    this.#body = body;
    this.#canvas = canvas;
    this.#map = new ScrollMap(canvas, "rising");
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(holder);
  }

  get any() {
    return this.#times.length > 0;
  }

  clear() {
    this.#times = [];
    this.#raw = [];
    this.#smooth = [];
    this.#accuracy = [];
    this.#steps = [];
    this.surprise = undefined;
    this.#map.clear();
    this.#body.replaceChildren();
  }

  recolour(colours) {
    this.#map.recolour(colours);
    this.#plot?.destroy();
    const axis = {
      stroke: colours.muted,
      grid: { stroke: colours.line, width: 1 },
      ticks: { show: false },
      font: "12px system-ui",
    };
    const line = (label, stroke, more = {}) => ({
      label,
      stroke,
      points: { show: false },
      ...more,
    });
    this.#plot = new uPlot(
      {
        ...this.#size(),
        scales: {
          x: { time: false },
          y: { range: (_, _low, high) => [0, Math.max(high ?? 0, 4)] },
        },
        legend: { show: false },
        cursor: { show: false },
        axes: [{ ...axis, size: 28, values: (_, ticks) => ticks.map((t) => `${t} s`) }, {
          ...axis,
          size: 36,
        }],
        series: [
          {},
          line("each frame", `${colours.muted}70`, { width: 1 }),
          line("mean of a second", colours.warm, { width: 2.5 }),
          line("chance", colours.muted, { width: 1, dash: [5, 5] }),
        ],
      },
      [[], [], [], []],
      this.#holder,
    );
  }

  push(time, score, steps) {
    if (score && steps.join() !== this.#steps.join()) this.#begin(steps);
    if (!score) return;
    const share = 1 / Math.min(SMOOTH_FRAMES, this.#times.length + 1);
    this.surprise = this.surprise === undefined
      ? score.surprise
      : this.surprise + share * (score.surprise - this.surprise);
    score.correct.forEach((hit, i) => this.#accuracy[i] += share * (hit - this.#accuracy[i]));
    this.#map.push(Float32Array.from(this.#accuracy));
    for (
      const [list, value] of [[this.#times, time], [this.#raw, score.surprise], [
        this.#smooth,
        this.surprise,
      ]]
    ) {
      list.push(value);
      if (list.length > 2 * COLUMNS) list.splice(0, COLUMNS);
    }
  }

  draw() {
    const [times, raw, smooth] = [this.#times, this.#raw, this.#smooth].map((list) =>
      list.slice(-COLUMNS)
    );
    this.#plot?.setData([times, raw, smooth, times.map(() => Math.log(CANDIDATES))]);
    this.#map.draw();
  }

  /** Writes the table: not at every frame, people could not read it. */
  tell() {
    this.#cells.forEach((cell, i) =>
      cell.textContent = this.any ? `${Math.round(this.#accuracy[i] * 100)} %` : "–"
    );
  }

  #begin(steps) {
    this.#steps = [...steps];
    this.#accuracy = steps.map(() => 0);
    this.#map.clear();
    const rows = steps.map((k) => {
      const row = document.createElement("tr");
      const [head, cell] = [document.createElement("th"), document.createElement("td")];
      head.scope = "row";
      head.textContent = `${k * 10} ms`;
      row.append(head, cell);
      return row;
    });
    this.#body.replaceChildren(...rows);
    this.#cells = rows.map((row) => row.lastChild);
    // a row of the map beside each of the table
    this.#canvas.style.height = `${ROW_PIXELS * steps.length}px`;
  }

  #size() {
    return { width: Math.max(200, this.#holder.clientWidth), height: PLOT_PIXELS };
  }
}
