/** Marks of events over a picture of the last seconds: where each began and ended, and its name. */
import type { HeadEvent } from "../../client/mod.ts";
import { type Colours, CURVES } from "./colours.ts";
import { SHOWN_SECONDS } from "./ring.ts";

const LABEL_PIXELS = 12;
/** Most events to keep: more than fit into the picture. */
const MOST_KEPT = 500;

/** An event from its start to its end, in seconds. */
interface Span {
  readonly kind: string;
  readonly name: string;
  readonly channel: number | undefined;
  readonly start: number;
  end: number | undefined;
}

/** Where marks are drawn. */
export interface MarksPlace {
  readonly width: number;
  readonly height: number;
  /** In seconds, at the right edge. */
  readonly now: number;
  /** Number of channels, drawn below one another. */
  readonly channels: number;
}

export class EventMarks {
  #spans: Span[] = [];
  /** Each head's events, in the order in which they were first seen. */
  #kinds: string[] = [];

  begin(): void {
    this.#spans = [];
    this.#kinds = [];
  }

  take({ head, event, channel, state, time }: HeadEvent): void {
    const kind = `${head} ${event}`;
    if (!this.#kinds.includes(kind)) this.#kinds.push(kind);
    if (state === "start") {
      this.#spans.push({ kind, name: event, channel, start: time, end: undefined });
      if (this.#spans.length > MOST_KEPT) this.#spans.shift();
      return;
    }
    const open = this.#spans.findLast((one) => one.kind === kind && one.channel === channel);
    if (open) open.end ??= time;
  }

  draw(
    context: CanvasRenderingContext2D,
    { place, colours }: { place: MarksPlace; colours: Colours },
  ): void {
    const { width, height, now, channels } = place;
    const from = now - SHOWN_SECONDS;
    const at = (time: number) => (time - from) / SHOWN_SECONDS * width;
    context.font = `${LABEL_PIXELS * devicePixelRatio}px system-ui, sans-serif`;
    context.textBaseline = "top";
    const shown = this.#spans.filter(({ end }) => (end ?? now) >= from).map((span) => {
      const row = this.#kinds.indexOf(span.kind);
      const lane = span.channel === undefined ? height : height / channels;
      const colour = colours.curves[(row + 1) % CURVES] ?? colours.warm;
      return { ...span, row, lane, colour, left: at(span.start), top: (span.channel ?? 0) * lane };
    });
    for (const { end, left, top, lane, colour } of shown) {
      const right = at(end ?? now);
      context.fillStyle = colour;
      context.globalAlpha = 0.14;
      context.fillRect(left, top, right - left, lane);
      context.globalAlpha = 1;
      context.fillRect(left, top, 2 * devicePixelRatio, lane);
      if (end !== undefined) context.fillRect(right, top, devicePixelRatio, lane);
    }
    for (const { name, left, top, row, colour } of shown) {
      const below = row * (LABEL_PIXELS + 4) * devicePixelRatio;
      drawLabel(context, { name, left, top: top + below, ink: colour, paper: colours.card });
    }
  }
}

/** A name on paper, so that it can be read over a waveform. */
function drawLabel(
  context: CanvasRenderingContext2D,
  { name, left, top, ink, paper }: {
    name: string;
    left: number;
    top: number;
    ink: string;
    paper: string;
  },
): void {
  const pixel = devicePixelRatio;
  const x = Math.max(0, left) + 4 * pixel;
  const width = context.measureText(name).width + 4 * pixel;
  context.fillStyle = paper;
  context.globalAlpha = 0.8;
  context.fillRect(x - 2 * pixel, top + pixel, width, (LABEL_PIXELS + 3) * pixel);
  context.globalAlpha = 1;
  context.fillStyle = ink;
  context.fillText(name, x, top + 2 * pixel);
}
