/** Cuts samples into chunks of one length, however they arrive. */

/**
 * The same samples in chunks of one length.
 *
 * @param chunkSamples length of every chunk but the last, which holds the rest (never empty)
 */
export async function* rechunk(
  pieces: AsyncIterable<Float32Array> | Iterable<Float32Array>,
  chunkSamples: number,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  let chunk = new Float32Array(chunkSamples);
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + chunkSamples - filled);
      chunk.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < chunkSamples) continue;
      yield chunk;
      chunk = new Float32Array(chunkSamples);
      filled = 0;
    }
  }
  if (filled > 0) yield chunk.slice(0, filled);
}
