/** Enrolled voices: a speaker's pooled context, as a client hands it over. */
import { CpcError } from "../errors.ts";
import type { Dims } from "../model/weights.ts";

/**
 * A voice, scaled to length 1.
 *
 * @param numbers `[C]`, such as the answer of `POST /v1/embeddings?pool=mean`
 * @throws {CpcError} `invalid_option` for another number of them, one that is not finite, or zeros
 *   alone
 */
export function voiceOf(
  numbers: ArrayLike<number>,
  { dims, model }: { dims: Pick<Dims, "context">; model: string },
): Float32Array {
  const refuse = (why: string) => new CpcError("invalid_option", why, { param: "voice" });
  if (numbers.length !== dims.context) {
    throw refuse(
      `option voice takes the ${dims.context} numbers of a pooled context of ${model}, ` +
        `got ${numbers.length}`,
    );
  }
  const largest = Array.from(numbers).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (!Number.isFinite(largest)) throw refuse("option voice holds a number that is not finite");
  if (largest === 0) throw refuse("option voice holds zeros alone, which are like no voice");
  // so that its squares neither overflow nor vanish
  const scaled = Float64Array.from(numbers, (x) => x / largest);
  const length = Math.sqrt(scaled.reduce((sum, x) => sum + x * x, 0));
  return Float32Array.from(scaled, (x) => x / length);
}
