/**
 * The page's panels as one: what one of them follows, all of them may, and then they are painted.
 */
import type { HeadEvent, HeadMessage } from "../client/mod.ts";
import type { AudioFormat, Follower, Heard, Shown, Taken } from "./follower.ts";
import type { Head } from "./models.ts";
import { readColours } from "./pictures/colours.ts";

/** Panels that follow one stream. */
export class Panels implements Required<Omit<Follower, "draw">> {
  readonly #panels: readonly Follower[];
  #colours = readColours();
  #isDrawDue = false;

  constructor(panels: readonly Follower[]) {
    this.#panels = panels;
  }

  beginAudio(format: AudioFormat): void {
    for (const panel of this.#panels) panel.beginAudio?.(format);
    this.drawSoon();
  }

  hear(heard: Heard): void {
    for (const panel of this.#panels) panel.hear?.(heard);
    this.drawSoon();
  }

  beginVectors(shown: Shown): void {
    for (const panel of this.#panels) panel.beginVectors?.(shown);
    this.drawSoon();
  }

  take(taken: Taken): void {
    for (const panel of this.#panels) panel.take?.(taken);
    this.drawSoon();
  }

  beginHeads(heads: readonly Head[]): void {
    for (const panel of this.#panels) panel.beginHeads?.(heads);
    this.drawSoon();
  }

  takeRows(rows: HeadMessage): void {
    for (const panel of this.#panels) panel.takeRows?.(rows);
    this.drawSoon();
  }

  takeEvent(event: HeadEvent): void {
    for (const panel of this.#panels) panel.takeEvent?.(event);
    this.drawSoon();
  }

  tell(): void {
    for (const panel of this.#panels) panel.tell?.();
  }

  /** Schedules painting, at most once per screen refresh. */
  drawSoon(): void {
    if (this.#isDrawDue) return;
    this.#isDrawDue = true;
    requestAnimationFrame(() => {
      this.#isDrawDue = false;
      for (const panel of this.#panels) panel.draw?.(this.#colours);
    });
  }

  /** The page has other colours. */
  recolour(): void {
    this.#colours = readColours();
    this.drawSoon();
  }
}
