/** The panel "Context vectors", or "Latent vectors": a scrolling heat map. */
import { byId, write } from "../dom.ts";
import type { Follower, Shown, Taken } from "../follower.ts";
import type { Colours } from "../pictures/colours.ts";
import { type Look, ScrollMap } from "../pictures/scroll_map.ts";

const LOOKS = {
  context: {
    kind: "diverging",
    scale: 0.8,
    name: "Context",
    hint: "one column every 10 ms, less the mean so far",
  },
  latent: { kind: "rising", scale: 0.01, name: "Latent", hint: "one column every 10 ms" },
} as const satisfies Record<Shown, Look & { name: string; hint: string }>;

export class VectorsPanel implements Follower {
  readonly #map = new ScrollMap(byId("map", HTMLCanvasElement), LOOKS.context);
  #shown: Shown = "context";
  #count = 0;

  beginVectors(shown: Shown): void {
    this.#shown = shown;
    this.#count = 0;
    const { name, hint, ...look } = LOOKS[shown];
    this.#map.begin(look);
    write("map-name", name);
    write("map-hint", hint);
  }

  take({ rows }: Taken): void {
    for (const row of rows) {
      if (this.#shown === "context") this.#learnMean(row);
      else this.#learnScale(row);
      this.#map.push(row);
    }
  }

  draw(colours: Colours): void {
    this.#map.draw(colours);
  }

  #learnMean(row: Float32Array): void {
    const mean = this.#map.offset ??= new Float64Array(row.length);
    this.#count++;
    for (const [i, x] of row.entries()) mean[i]! += (x - mean[i]!) / this.#count;
  }

  /** Latents have no bound, so the largest come near the darkest colour. */
  #learnScale(row: Float32Array): void {
    const map = this.#map;
    for (const x of row) if (x > map.scale) map.scale += (x - map.scale) * 0.05;
  }
}
