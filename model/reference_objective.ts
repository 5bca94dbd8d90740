/**
 * The whole forward pass of the original: the truth that `/v1/score`, which computes batch by
 * batch, is tested against. Legend: N windows, T frames, Z latent width, C hidden width, K steps.
 */
import { CpcError } from "../errors.ts";
import type { Floats } from "./floats.ts";
import {
  chooseFrame,
  figuresOf,
  type ObjectiveBatch,
  type ObjectiveFigures,
  overall,
  totalOf,
} from "./objective.ts";

/**
 * The objective at one frame: every step's figures, and what the original reports of them.
 *
 * @throws {CpcError} `invalid_option` for fewer than 2 windows
 */
export function objective(batch: ObjectiveBatch): ObjectiveFigures {
  checkWindows(batch.windows);
  return overall(
    Array.from({ length: batch.steps }, (_, i) => figuresOf(totalOf(batch, i + 1), i + 1)),
  );
}

/** What the forward pass needs from a caller that has the network. */
export interface ForwardInput<Hidden> {
  /** N, T, K */
  readonly windows: number;
  readonly frames: number;
  readonly steps: number;
  /** z `[N, T, Z]` */
  readonly latent: Floats;
  /** The state handed in, and a frame or a generator to draw it by. */
  readonly hidden: Hidden;
  readonly t?: number;
  readonly random: () => number;
  /**
   * Runs the context network over z_0 … z_t `[N, t + 1, Z]` from a state: c_t `[N, C]` of its last
   * layer, and the state after it.
   */
  readonly context: (
    latent: Floats,
    hidden: Hidden,
  ) => { readonly last: Floats; readonly hidden: Hidden };
  /** c_t `[N, C]` → `[N, K, Z]` */
  readonly predict: (last: Floats) => Floats;
}

/**
 * One t drawn or given, the context up to it from the state handed in, K predictions, in-batch
 * negatives.
 *
 * @returns the figures, t, and the state at t to hand in next
 * @throws {CpcError} as {@linkcode objective} and {@linkcode chooseFrame}
 */
export function originalForward<Hidden>(
  input: ForwardInput<Hidden>,
): ObjectiveFigures & { t: number; hidden: Hidden } {
  const { windows: N, frames: T, steps: K, latent, context, predict } = input;
  checkWindows(N);
  const t = chooseFrame(input, input);
  const { last, hidden } = context(
    framesOf(latent, { windows: N, frames: T, from: 0, to: t + 1 }),
    input.hidden,
  );
  const future = framesOf(latent, { windows: N, frames: T, from: t + 1, to: t + 1 + K });
  return { ...objective({ windows: N, steps: K, future, predictions: predict(last) }), t, hidden };
}

/** Frames `from … to` (exclusive) of `[N, T, Z]`: `[N, to − from, Z]`. */
export function framesOf(
  latent: Floats,
  { windows: N, frames: T, from, to }: {
    windows: number;
    frames: number;
    from: number;
    to: number;
  },
): Float64Array {
  const Z = latent.length / N / T;
  const out = new Float64Array(N * (to - from) * Z);
  for (let n = 0; n < N; n++) {
    out.set(latent.subarray((n * T + from) * Z, (n * T + to) * Z), n * (to - from) * Z);
  }
  return out;
}

function checkWindows(windows: number): void {
  if (windows >= 2) return;
  throw new CpcError(
    "invalid_option",
    `the objective compares windows: a batch needs at least 2, got ${windows}`,
    {
      param: "windows",
    },
  );
}
