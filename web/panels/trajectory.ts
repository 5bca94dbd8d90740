/** The panel "Trajectory": the path of the vectors in the plane of their principal components. */
import { byId } from "../dom.ts";
import type { Follower, Taken } from "../follower.ts";
import { OnlinePca } from "../pca.ts";
import { freshCanvas } from "../pictures/canvas.ts";
import type { Colours } from "../pictures/colours.ts";
import { Ring } from "../pictures/ring.ts";

/** Number of steps in which the path fades. */
const FADES = 10;

export class TrajectoryPanel implements Follower {
  readonly #canvas = byId("path", HTMLCanvasElement);
  readonly #ring = new Ring<Float32Array>();
  #pca: OnlinePca | undefined;
  /** Units of the plane per pixel; it slowly follows the size of the path. */
  #perPixel = 0;

  beginVectors(): void {
    this.#ring.clear();
    this.#pca = undefined;
    this.#perPixel = 0;
  }

  take({ rows }: Taken): void {
    for (const row of rows) {
      this.#pca ??= new OnlinePca(row.length);
      this.#pca.add(row);
      this.#ring.push(row);
    }
  }

  draw(colours: Colours): void {
    const { context, width, height } = freshCanvas(this.#canvas);
    context.fillStyle = colours.line;
    context.fillRect(0, height / 2, width, 1);
    context.fillRect(width / 2, 0, 1, height);
    const pca = this.#pca;
    if (!pca || this.#ring.total < 2) return;
    const places = Array.from(this.#ring, (vector) => pca.project(vector));
    const reach = places.reduce(
      (reach, [x, y]) => Math.max(reach, Math.abs(x) / width, Math.abs(y) / height),
      0,
    ) * 2.15;
    this.#perPixel += (reach - this.#perPixel) * (this.#perPixel ? 0.1 : 1);
    const perPixel = this.#perPixel || 1;
    const path = places.map(([x, y]) =>
      [width / 2 + x / perPixel, height / 2 - y / perPixel] as const
    );
    this.#drawPath(context, { path, colours });
  }

  #drawPath(
    context: CanvasRenderingContext2D,
    { path, colours }: { path: (readonly [x: number, y: number])[]; colours: Colours },
  ): void {
    context.lineWidth = 1.5 * devicePixelRatio;
    context.lineJoin = "round";
    context.strokeStyle = colours.accent;
    for (let part = 0; part < FADES; part++) {
      const from = Math.floor(part * path.length / FADES);
      const to = Math.floor((part + 1) * path.length / FADES);
      context.globalAlpha = 0.08 + 0.92 * ((part + 1) / FADES) ** 2;
      context.beginPath();
      for (const [x, y] of path.slice(Math.max(0, from - 1), to)) context.lineTo(x, y);
      context.stroke();
    }
    context.globalAlpha = 1;
    context.fillStyle = colours.warm;
    for (const [x, y] of path.slice(-1)) {
      context.beginPath();
      context.arc(x, y, 5 * devicePixelRatio, 0, 7);
      context.fill();
    }
  }
}
