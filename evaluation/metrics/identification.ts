/** Speaker identification: which enrolled speaker said it? The one with the nearest centroid. */
import { type Estimate, indexed, meanOverSpeakers } from "./intervals.ts";
import { dot, unit } from "./verification.ts";

/**
 * Share of utterances assigned to their speaker. Each speaker's utterances are halved, every other
 * one; one half enrols (the mean of its unit vectors) and the other is identified by cosine, then
 * the other way round. Speakers with one utterance are left out.
 */
export function identify(vectors: readonly Float32Array[], speakers: readonly string[]): Estimate {
  const { names, indices } = indexed(speakers);
  const sizes = new Int32Array(names.length);
  const half = indices.map((speaker) => sizes[speaker]++ % 2);
  const units = vectors.map(unit);
  const [right, whose]: [number[], string[]] = [[], []];
  for (const enrolled of [0, 1]) {
    const centroids = names.map((_, speaker) => {
      const own = units.filter((_, i) => indices[i] === speaker && half[i] === enrolled);
      return sizes[speaker] < 2 ? undefined : unit(sumOf(own));
    });
    units.forEach((vector, i) => {
      if (half[i] === enrolled || sizes[indices[i]] < 2) return;
      let [best, nearest] = [-Infinity, -1];
      centroids.forEach((centroid, speaker) => {
        const score = centroid ? dot(vector, centroid) : -Infinity;
        if (score > best) [best, nearest] = [score, speaker];
      });
      right.push(nearest === indices[i] ? 1 : 0);
      whose.push(speakers[i]);
    });
  }
  return meanOverSpeakers(right, whose);
}

function sumOf(vectors: readonly Float32Array[]): Float32Array {
  return vectors.reduce(
    (sum, vector) => sum.map((x, i) => x + vector[i]),
    new Float32Array(vectors[0].length),
  );
}
