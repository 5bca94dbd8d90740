/** The panel "Sound": waveform and level, and the events of heads. */
import type { HeadEvent } from "../../client/mod.ts";
import { byId, write } from "../dom.ts";
import type { AudioFormat, Follower, Heard } from "../follower.ts";
import { freshCanvas } from "../pictures/canvas.ts";
import type { Colours } from "../pictures/colours.ts";
import { EventMarks } from "../pictures/event_marks.ts";
import { COLUMNS, Ring } from "../pictures/ring.ts";

const COLUMNS_PER_SECOND = 100;
/** Lowest full scale of the waveform, so that quiet rooms look quiet. */
const SMALLEST_PEAK = 0.1;
const LEVEL_DB = { lowestShown: -60, silent: -100 };

/** The waveform of a channel. */
class Wave {
  readonly ring = new Ring<readonly [low: number, high: number]>();
  low = 0;
  high = 0;
}

export class SoundPanel implements Follower {
  readonly #canvas = byId("wave", HTMLCanvasElement);
  readonly #meter = byId("level", HTMLMeterElement);
  readonly #marks = new EventMarks();
  #waves: readonly Wave[] = [];
  #columnSamples = 160;
  #sampleRate = 1;
  #samples = 0;
  /** Samples of each channel in the column that is not complete. */
  #count = 0;
  /** Mean square of the newest audio. */
  #power = 0;

  beginAudio({ sampleRate, channels }: AudioFormat): void {
    this.#waves = Array.from({ length: channels }, () => new Wave());
    this.#marks.begin();
    this.#sampleRate = sampleRate;
    this.#columnSamples = sampleRate / COLUMNS_PER_SECOND;
    this.#samples =
      this.#count =
      this.#power =
        0;
    this.#canvas.classList.toggle("lanes", channels === 2);
  }

  hear({ samples, length }: Heard): void {
    this.#samples += length;
    const channels = this.#waves.length;
    for (let i = 0; i < length; i++) {
      for (const [c, wave] of this.#waves.entries()) {
        const x = samples[i * channels + c] ?? 0;
        this.#power += (x * x - this.#power) / (this.#columnSamples * 10 * channels);
        if (x < wave.low) wave.low = x;
        if (x > wave.high) wave.high = x;
      }
      if (++this.#count < this.#columnSamples) continue;
      this.#count -= this.#columnSamples;
      for (const wave of this.#waves) {
        wave.ring.push([wave.low, wave.high]);
        wave.low = wave.high = 0;
      }
    }
  }

  takeEvent(event: HeadEvent): void {
    this.#marks.take(event);
  }

  draw(colours: Colours): void {
    const { context, width, height } = freshCanvas(this.#canvas);
    const channels = this.#waves.length;
    const lane = height / channels;
    for (const [c, { ring }] of this.#waves.entries()) {
      drawWave(context, { columns: [...ring], width, top: c * lane, height: lane, colours });
    }
    if (channels > 1) nameLanes(context, { channels, lane, colours });
    const now = this.#samples / this.#sampleRate;
    this.#marks.draw(context, { place: { width, height, now, channels }, colours });
  }

  tell(): void {
    const level = 10 * Math.log10(this.#power); // −Infinity in silence
    this.#meter.value = Math.max(LEVEL_DB.lowestShown, level);
    write("n-level", level > LEVEL_DB.silent ? `${level.toFixed(0)} dBFS` : "–");
  }
}

function nameLanes(
  context: CanvasRenderingContext2D,
  { channels, lane, colours }: { channels: number; lane: number; colours: Colours },
): void {
  const pixel = devicePixelRatio;
  context.fillStyle = colours.muted;
  context.font = `${12 * pixel}px system-ui, sans-serif`;
  context.textBaseline = "bottom";
  for (let c = 0; c < channels; c++) {
    context.fillText(`speaker ${c + 1}`, 2 * pixel, (c + 1) * lane - 2 * pixel);
  }
}

function drawWave(
  context: CanvasRenderingContext2D,
  { columns, width, top, height, colours }: {
    columns: readonly (readonly [low: number, high: number])[];
    width: number;
    top: number;
    height: number;
    colours: Colours;
  },
): void {
  context.fillStyle = colours.line;
  context.fillRect(0, top + height / 2, width, 1);
  context.fillStyle = colours.accent;
  const peak = columns.reduce((peak, [low, high]) => Math.max(peak, -low, high), SMALLEST_PEAK);
  const pixels = width / COLUMNS;
  const place = (x: number) => top + height / 2 * (1 - 0.95 * x / peak);
  for (const [i, [low, high]] of columns.entries()) {
    const upper = place(high);
    context.fillRect(
      width - (columns.length - i) * pixels,
      upper,
      Math.max(1, pixels),
      Math.max(1, place(low) - upper),
    );
  }
}
