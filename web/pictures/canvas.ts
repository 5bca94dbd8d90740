/** Canvas helpers for all pictures. */

/** Fits a canvas to its place on the screen, and clears it. */
export function freshCanvas(
  canvas: HTMLCanvasElement,
): { context: CanvasRenderingContext2D; width: number; height: number } {
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = contextOf(canvas);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** The 2-D context of a canvas. */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new TypeError("this browser has no 2-D canvas");
  return context;
}
