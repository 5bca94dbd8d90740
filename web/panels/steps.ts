/** The panel "Prediction accuracy by step": a map over time, and a table of the last second. */
import type { Score } from "../../client/mod.ts";
import { byId } from "../dom.ts";
import type { Follower, Taken } from "../follower.ts";
import type { Colours } from "../pictures/colours.ts";
import { ScrollMap } from "../pictures/scroll_map.ts";
import { RecentMean } from "../recent_mean.ts";

const ROW_PIXELS = 18;

/** A predicted step: its row of the table, and its accuracy. */
interface Step {
  readonly k: number;
  readonly cell: HTMLTableCellElement;
  readonly accuracy: RecentMean;
}

export class StepsPanel implements Follower {
  readonly #canvas = byId("steps", HTMLCanvasElement);
  readonly #body = byId("step-rows", HTMLElement);
  readonly #map = new ScrollMap(this.#canvas, { kind: "rising", scale: 1 });
  #steps: Step[] = [];

  beginVectors(): void {
    this.#begin([], { hopMs: 0 });
  }

  take({ frames: { score = [], steps }, ready }: Taken): void {
    for (const row of score) {
      if (!row) continue;
      if (steps.join() !== this.#steps.map(({ k }) => k).join()) {
        this.#begin(steps, { hopMs: 1000 / ready.frame_rate });
      }
      this.#push(row);
    }
  }

  draw(colours: Colours): void {
    this.#map.draw(colours);
  }

  tell(): void {
    for (const { cell, accuracy: { value } } of this.#steps) {
      cell.textContent = value === undefined ? "–" : `${Math.round(value * 100)} %`;
    }
  }

  #push({ correct }: Score): void {
    this.#map.push(
      Float32Array.from(this.#steps, ({ accuracy }, i) => accuracy.add(correct[i] ?? 0)),
    );
  }

  #begin(steps: readonly number[], { hopMs }: { hopMs: number }): void {
    this.#map.begin();
    this.#body.replaceChildren();
    this.#steps = steps.map((k) => {
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = `${k * hopMs} ms`;
      const cell = document.createElement("td");
      const row = document.createElement("tr");
      row.append(head, cell);
      this.#body.append(row);
      return { k, cell, accuracy: new RecentMean() };
    });
    // aligns each row of the map with one of the table
    if (steps.length > 0) this.#canvas.style.height = `${ROW_PIXELS * steps.length}px`;
  }
}
