/**
 * Minimises a smooth function of many variables: limited-memory BFGS (Nocedal and Wright 2006,
 * algorithms 7.4 and 3.5).
 */

/** A function's value and its gradient at a point. */
export interface Slope {
  readonly value: number;
  readonly gradient: Float64Array;
}

const MEMORY = 10;
/**
 * Wolfe's conditions: the value falls by this share of the slope, and the slope falls to this share
 * of its former value.
 */
const FALL = 1e-4;
const FLATTEN = 0.9;
const MAX_TRIES = 25;

/**
 * Descends until no component of the gradient exceeds the tolerance, or the value no longer falls.
 *
 * @param start stays unchanged
 * @returns the point, its value, and the steps taken
 */
export async function minimise(
  slopeAt: (point: Float64Array) => Promise<Slope>,
  start: Float64Array,
  { tolerance = 1e-5, maxSteps = 500 }: { tolerance?: number; maxSteps?: number } = {},
): Promise<{ point: Float64Array; value: number; steps: number }> {
  let point = start;
  let { value, gradient } = await slopeAt(point);
  const history: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  let steps = 0;
  while (steps < maxSteps && gradient.some((g) => Math.abs(g) > tolerance)) {
    const direction = descent(gradient, history);
    const first = history.length ? 1 : Math.min(1, 1 / Math.sqrt(dot(gradient, gradient)));
    const next = await lineSearch(slopeAt, { point, value, gradient, direction, first });
    if (!next) break;
    steps++;
    const [s, y] = [minus(next.point, point), minus(next.gradient, gradient)];
    const curvature = dot(s, y);
    if (curvature > 1e-12 * dot(y, y)) history.push({ s, y, rho: 1 / curvature });
    if (history.length > MEMORY) history.shift();
    ({ point, value, gradient } = next);
  }
  return { point, value, steps };
}

/** Minus the gradient, times the inverse curvature estimated from past steps. */
function descent(
  gradient: Float64Array,
  history: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = gradient.slice();
  const shares = history.map(() => 0);
  for (let i = history.length - 1; i >= 0; i--) {
    const { s, y, rho } = history[i];
    shares[i] = rho * dot(s, q);
    add(q, y, -shares[i]);
  }
  const last = history[history.length - 1];
  if (last) scale(q, 1 / (last.rho * dot(last.y, last.y)));
  history.forEach(({ s, y, rho }, i) => add(q, s, shares[i] - rho * dot(y, q)));
  return scale(q, -1);
}

/**
 * A step along a direction that satisfies Wolfe's conditions, by doubling and halving; undefined
 * when the value does not fall.
 */
async function lineSearch(
  slopeAt: (point: Float64Array) => Promise<Slope>,
  { point, value, gradient, direction, first }: Slope & {
    point: Float64Array;
    direction: Float64Array;
    first: number;
  },
): Promise<(Slope & { point: Float64Array }) | undefined> {
  const slope = dot(gradient, direction);
  let [low, high, step] = [0, Infinity, first];
  let best: (Slope & { point: Float64Array }) | undefined;
  for (let i = 0; i < MAX_TRIES; i++) {
    const there = add(point.slice(), direction, step);
    const found = await slopeAt(there);
    if (!(found.value <= value + FALL * step * slope)) high = step;
    else {
      best = { point: there, ...found };
      if (dot(found.gradient, direction) >= FLATTEN * slope) return best;
      low = step;
    }
    step = high === Infinity ? 2 * low : (low + high) / 2;
  }
  return best;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** a += factor · b, in place */
function add(a: Float64Array, b: Float64Array, factor: number): Float64Array {
  for (let i = 0; i < a.length; i++) a[i] += factor * b[i];
  return a;
}

function scale(a: Float64Array, factor: number): Float64Array {
  for (let i = 0; i < a.length; i++) a[i] *= factor;
  return a;
}

function minus(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((x, i) => x - b[i]);
}
