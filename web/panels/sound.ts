/** The panel "Sound": waveform and level. */
import { byId, write } from "../dom.ts";
import type { Follower } from "../follower.ts";
import { freshCanvas } from "../pictures/canvas.ts";
import type { Colours } from "../pictures/colours.ts";
import { COLUMNS, Ring } from "../pictures/ring.ts";

const COLUMNS_PER_SECOND = 100;
/** Lowest full scale of the waveform, so that quiet rooms look quiet. */
const SMALLEST_PEAK = 0.1;
const LEVEL_DB = { lowestShown: -60, silent: -100 };

export class SoundPanel implements Follower {
  readonly #canvas = byId("wave", HTMLCanvasElement);
  readonly #meter = byId("level", HTMLMeterElement);
  readonly #ring = new Ring<readonly [low: number, high: number]>();
  #columnSamples = 160;
  #low = 0;
  #high = 0;
  #count = 0;
  /** Mean square of the newest audio. */
  #power = 0;

  beginAudio(sampleRate: number): void {
    this.#ring.clear();
    this.#columnSamples = sampleRate / COLUMNS_PER_SECOND;
    this.#low =
      this.#high =
      this.#count =
      this.#power =
        0;
  }

  hear(samples: Float32Array): void {
    for (const x of samples) {
      this.#power += (x * x - this.#power) / (this.#columnSamples * 10);
      if (x < this.#low) this.#low = x;
      if (x > this.#high) this.#high = x;
      if (++this.#count < this.#columnSamples) continue;
      this.#ring.push([this.#low, this.#high]);
      this.#count -= this.#columnSamples;
      this.#low = this.#high = 0;
    }
  }

  draw(colours: Colours): void {
    const { context, width, height } = freshCanvas(this.#canvas);
    context.fillStyle = colours.line;
    context.fillRect(0, height / 2, width, 1);
    context.fillStyle = colours.accent;
    const columns = [...this.#ring];
    const peak = columns.reduce(
      (peak, [low, high]) => Math.max(peak, -low, high),
      SMALLEST_PEAK,
    );
    const pixels = width / COLUMNS;
    const place = (x: number) => height / 2 * (1 - 0.95 * x / peak);
    for (const [i, [low, high]] of columns.entries()) {
      const top = place(high);
      context.fillRect(
        width - (columns.length - i) * pixels,
        top,
        Math.max(1, pixels),
        Math.max(1, place(low) - top),
      );
    }
  }

  tell(): void {
    const level = 10 * Math.log10(this.#power); // −Infinity in silence
    this.#meter.value = Math.max(LEVEL_DB.lowestShown, level);
    write("n-level", level > LEVEL_DB.silent ? `${level.toFixed(0)} dBFS` : "–");
  }
}
