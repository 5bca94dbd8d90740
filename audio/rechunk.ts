/** Samples in chunks: cut to one length, and joined. */

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

/** Chunks as one array. */
export function joinChunks(chunks: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const whole = new Float32Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  chunks.reduce((at, chunk) => (whole.set(chunk, at), at + chunk.length), 0);
  return whole;
}
