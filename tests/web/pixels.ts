/** What the page has painted. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";

/** Time from the left edge of a picture to its right one. */
export const PLOT_SECONDS = 8;
/** The box of a plot of curves, in pixels of its canvas. */
const PLOT = { top: 4, height: 92 };

/** A painted canvas. */
export interface Pixels {
  readonly width: number;
  /** Whether a pixel has about this colour, `#rrggbb`. */
  readonly near: (x: number, y: number, colour: string) => boolean;
}

/** The pixels of the first canvas that a selector finds. */
export async function pixelsOf(page: Page, selector: string): Promise<Pixels> {
  const text = await page.evaluate<string>(`(() => {
    const canvas = document.querySelector(${JSON.stringify(selector)});
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return JSON.stringify({ width, height, data: Array.from(data) });
  })()`);
  const { width, height, data }: { width: number; height: number; data: number[] } = JSON.parse(
    text,
  );
  return {
    width,
    near: (x, y, colour) => {
      if (x < 0 || x >= width || y < 0 || y >= height) return false;
      const at = 4 * (y * width + x);
      const wanted = [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
      return wanted.every((value, i) => Math.abs(value - data[at + i]) < 60) && data[at + 3] > 100;
    },
  };
}

/** The colour of curves that have this place in their legend, `#rrggbb`. */
export async function colourOf(page: Page, index: number): Promise<string> {
  return await page.evaluate(
    `getComputedStyle(document.documentElement).getPropertyValue("--curve-${index}").trim()`,
  );
}

/** Asserts that the first curve of a plot goes through all points, and begins with the first. */
export async function assertCurve(
  page: Page,
  { canvas, points, now }: {
    canvas: string;
    points: readonly (readonly [time: number, value: number])[];
    /** At the right edge, in seconds. */
    now: number;
  },
): Promise<void> {
  const stroke = await colourOf(page, 0);
  const { width, near } = await pixelsOf(page, canvas);
  const xOf = (time: number) => Math.round((time - (now - PLOT_SECONDS)) / PLOT_SECONDS * width);
  const column = (x: number) =>
    Array.from({ length: PLOT.height + 8 }, (_, y) => y).filter((y) => near(x, y, stroke));
  for (const [time, value] of points) {
    const y = PLOT.top + PLOT.height * (1 - value);
    const drawn = [-1, 0, 1].flatMap((step) => column(xOf(time) + step));
    assert.ok(drawn.some((one) => Math.abs(one - y) <= 4), `${value} at ${time} s: ${drawn}`);
  }
  for (let x = 0; x < xOf(points[0][0]) - 3; x++) assert.deepEqual(column(x), [], `column ${x}`);
}
