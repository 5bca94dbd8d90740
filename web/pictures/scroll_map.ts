/** A map with one column for each vector, the newest at the right. */
import { contextOf, freshCanvas } from "./canvas.ts";
import type { Colours } from "./colours.ts";
import { COLUMNS, Ring } from "./ring.ts";

/** How values become colours. */
export interface Look {
  /** Whether values lie around 0, or from 0 up. */
  readonly kind: "diverging" | "rising";
  /** Magnitude of the strongest colour. */
  readonly scale: number;
}

/** The picture of a map. */
export class ScrollMap {
  /** Magnitude of the strongest colour. */
  scale: number;
  /** Subtracted from each row. */
  offset: Float64Array | undefined;
  readonly #canvas: HTMLCanvasElement;
  /** One pixel per value; a ring, like the vectors. */
  readonly #image = document.createElement("canvas");
  readonly #ring = new Ring<Float32Array>();
  #look: Look;
  #colours: Colours | undefined;
  /** Number of vectors in the image. */
  #painted = 0;

  constructor(canvas: HTMLCanvasElement, look: Look) {
    this.#canvas = canvas;
    this.#look = look;
    this.scale = look.scale;
  }

  /** Starts over. */
  begin(look = this.#look): void {
    this.#look = look;
    this.scale = look.scale;
    this.offset = undefined;
    this.#ring.clear();
    this.#painted = 0;
  }

  push(vector: Float32Array): void {
    this.#ring.push(vector);
  }

  draw(colours: Colours): void {
    const { context, width, height } = freshCanvas(this.#canvas);
    const rows = this.#ring.last?.length;
    if (rows === undefined) return;
    if (rows !== this.#image.height || this.#image.width !== COLUMNS) {
      Object.assign(this.#image, { width: COLUMNS, height: rows });
      this.#painted = 0;
    }
    if (colours !== this.#colours) this.#painted = 0;
    this.#colours = colours;
    this.#paint(colours[this.#look.kind]);
    const { total } = this.#ring;
    const head = total % COLUMNS;
    const older = total > COLUMNS ? COLUMNS - head : 0;
    const newer = total > COLUMNS ? head : total;
    const column = width / COLUMNS;
    context.imageSmoothingEnabled = false;
    const copy = (from: number, { count, to }: { count: number; to: number }) => {
      if (count === 0) return;
      context.drawImage(this.#image, from, 0, count, rows, to, 0, count * column, height);
    };
    copy(head, { count: older, to: 0 });
    copy(0, { count: newer, to: width - newer * column });
  }

  /** Updates the image. */
  #paint(colours: Colours["rising"]): void {
    const context = contextOf(this.#image);
    const column = context.createImageData(1, this.#image.height);
    const { total } = this.#ring;
    for (let index = Math.max(this.#painted, total - COLUMNS); index < total; index++) {
      for (const [row, x] of (this.#ring.at(index) ?? []).entries()) {
        const value = (x - (this.offset?.[row] ?? 0)) / this.scale;
        const share = this.#look.kind === "rising" ? value : (value + 1) / 2;
        const colour = colours[Math.max(0, Math.min(255, Math.round((share || 0) * 255)))];
        if (colour) column.data.set([...colour, Number.isNaN(x) ? 0 : 255], row * 4);
      }
      context.putImageData(column, index % COLUMNS, 0);
    }
    this.#painted = total;
  }
}
