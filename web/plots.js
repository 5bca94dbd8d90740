/**
 * Pictures on canvas: scrolling maps, the waveform, the trajectory. Colours come from the style
 * sheet, for light and dark.
 */

/** Columns that a scrolling picture shows: 8 s of frames. */
export const COLUMNS = 800;

/** The style sheet's colours, as numbers and as text. */
export function readColours() {
  const style = getComputedStyle(document.documentElement);
  const text = (name) => style.getPropertyValue(`--${name}`).trim();
  const colours = Object.fromEntries(
    ["card", "ink", "muted", "line", "accent", "warm", "paper"].map((name) => [name, text(name)]),
  );
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const ramp = (from, to) =>
    Array.from({ length: 128 }, (_, i) => mix(rgb(from), rgb(to), (i / 127) ** 0.8));
  return {
    ...colours,
    /** −1 … 1 as 256 colours, and 0 … 1. */
    diverging: [
      ...ramp(colours.card, colours.accent).reverse(),
      ...ramp(colours.card, colours.warm),
    ],
    rising: ramp(colours.card, colours.accent).flatMap((colour) => [colour, colour]),
  };
}

function mix(from, to, share) {
  return from.map((x, i) => Math.round(x + (to[i] - x) * share));
}

/** Sizes a canvas to its place on the screen. */
function fit(canvas) {
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return canvas.getContext("2d");
}

/** The newest values of a stream, oldest first by `each`. */
class Ring {
  #values = Array(COLUMNS);
  #total = 0;

  push(value) {
    this.#values[this.#total++ % COLUMNS] = value;
  }
  clear() {
    this.#total = 0;
  }
  get total() {
    return this.#total;
  }
  get size() {
    return Math.min(this.#total, COLUMNS);
  }
  /** The value number `index` since the start. */
  at(index) {
    return this.#values[index % COLUMNS];
  }
}

/** A map with one column a value, the newest at the right. */
export class ScrollMap {
  ring = new Ring();
  #canvas;
  #image = document.createElement("canvas");
  #painted = 0;
  #rows = 1;
  #colours = [];

  /** @param canvas where @param kind `diverging` for values around 0, `rising` for 0 … 1 */
  constructor(canvas, kind) {
    this.#canvas = canvas;
    this.kind = kind;
    /** Largest magnitude that the colours tell apart. */
    this.scale = 1;
    /** What is taken off each row. */
    this.offset = undefined;
  }

  clear() {
    this.ring.clear();
    this.#painted = 0;
  }

  /** Colours have changed: everything is painted anew. */
  recolour(colours) {
    this.#colours = colours[this.kind];
    this.#painted = 0;
  }

  push(values) {
    this.ring.push(values);
  }

  draw() {
    const { ring } = this;
    const context = fit(this.#canvas);
    const { width, height } = this.#canvas;
    context.clearRect(0, 0, width, height);
    if (ring.size === 0) return;
    const rows = ring.at(ring.total - 1).length;
    if (rows !== this.#rows || this.#image.width !== COLUMNS) {
      Object.assign(this.#image, { width: COLUMNS, height: rows });
      this.#rows = rows;
      this.#painted = 0;
    }
    this.#paint(this.#image.getContext("2d"));
    const head = ring.total % COLUMNS;
    const older = ring.total > COLUMNS ? COLUMNS - head : 0;
    const newer = ring.total > COLUMNS ? head : ring.size;
    const column = width / COLUMNS;
    context.imageSmoothingEnabled = false;
    if (older) context.drawImage(this.#image, head, 0, older, rows, 0, 0, older * column, height);
    if (newer) {
      context.drawImage(
        this.#image,
        0,
        0,
        newer,
        rows,
        width - newer * column,
        0,
        newer * column,
        height,
      );
    }
  }

  #paint(context) {
    const from = Math.max(this.#painted, this.ring.total - COLUMNS);
    const column = context.createImageData(1, this.#rows);
    const rising = this.kind === "rising";
    for (let index = from; index < this.ring.total; index++) {
      const values = this.ring.at(index);
      for (let row = 0; row < this.#rows; row++) {
        const value = values[row] - (this.offset?.[row] ?? 0);
        const share = rising ? value / this.scale : (value / this.scale + 1) / 2;
        const [r, g, b] = this.#colours[Math.max(0, Math.min(255, Math.round((share || 0) * 255)))];
        column.data.set([r, g, b, Number.isNaN(values[row]) ? 0 : 255], row * 4);
      }
      context.putImageData(column, index % COLUMNS, 0);
    }
    this.#painted = this.ring.total;
  }
}

/** The waveform: one column for each 10 ms. */
export class Wave {
  #ring = new Ring();
  #canvas;
  #columnSamples = 160;
  #low = 0;
  #high = 0;
  #count = 0;
  /** Mean square of the newest audio. */
  power = 0;

  constructor(canvas) {
    this.#canvas = canvas;
  }

  begin(sampleRate) {
    this.#ring.clear();
    this.#columnSamples = sampleRate / 100;
    this.#low =
      this.#high =
      this.#count =
      this.power =
        0;
  }

  push(samples) {
    for (const x of samples) {
      this.power += (x * x - this.power) / (this.#columnSamples * 10);
      if (x < this.#low) this.#low = x;
      if (x > this.#high) this.#high = x;
      if (++this.#count < this.#columnSamples) continue;
      this.#ring.push([this.#low, this.#high]);
      this.#count -= this.#columnSamples;
      this.#low = this.#high = 0;
    }
  }

  draw(colours) {
    const context = fit(this.#canvas);
    const { width, height } = this.#canvas;
    context.clearRect(0, 0, width, height);
    context.fillStyle = colours.line;
    context.fillRect(0, height / 2, width, 1);
    context.fillStyle = colours.accent;
    const column = width / COLUMNS;
    const { total, size } = this.#ring;
    let peak = 0.1; // quiet rooms stay quiet
    for (let i = total - size; i < total; i++) {
      peak = Math.max(peak, -this.#ring.at(i)[0], this.#ring.at(i)[1]);
    }
    for (let i = total - size; i < total; i++) {
      const [low, high] = this.#ring.at(i).map((x) => height / 2 * (1 - 0.95 * x / peak));
      context.fillRect(
        width - (total - i) * column,
        high,
        Math.max(1, column),
        Math.max(1, low - high),
      );
    }
  }
}

/** The path of the newest vectors in a plane. */
export class Path {
  #canvas;
  #radius = 0;

  constructor(canvas) {
    this.#canvas = canvas;
  }

  clear() {
    this.#radius = 0;
  }

  /** @param places `[x, y]` oldest first */
  draw(places, colours) {
    const context = fit(this.#canvas);
    const { width, height } = this.#canvas;
    context.clearRect(0, 0, width, height);
    context.fillStyle = colours.line;
    context.fillRect(0, height / 2, width, 1);
    context.fillRect(width / 2, 0, 1, height);
    if (places.length < 2) return;
    const reach =
      Math.max(...places.map(([x, y]) => Math.max(Math.abs(x) / width, Math.abs(y) / height))) *
      2.15;
    this.#radius = this.#radius ? this.#radius + (reach - this.#radius) * 0.1 : reach;
    const point = (
      [x, y],
    ) => [width / 2 + x / (this.#radius || 1), height / 2 - y / (this.#radius || 1)];
    context.lineWidth = 1.5 * devicePixelRatio;
    context.lineJoin = "round";
    context.strokeStyle = colours.accent;
    const parts = 10;
    for (let part = 0; part < parts; part++) {
      const from = Math.floor(part * places.length / parts);
      const to = Math.floor((part + 1) * places.length / parts);
      context.globalAlpha = 0.08 + 0.92 * ((part + 1) / parts) ** 2;
      context.beginPath();
      for (let i = Math.max(0, from - 1); i < to; i++) context.lineTo(...point(places[i]));
      context.stroke();
    }
    context.globalAlpha = 1;
    context.fillStyle = colours.warm;
    context.beginPath();
    context.arc(...point(places.at(-1)), 5 * devicePixelRatio, 0, 7);
    context.fill();
  }
}
