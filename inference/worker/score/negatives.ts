/**
 * The negatives of a live score: latents of the stream's own past, drawn by a rule that anyone can
 * repeat (docs/scoring.md).
 *
 * The InfoNCE of van den Oord et al. 2018 with negatives from the same recording. The past is cut
 * into blocks of {@linkcode SCORE_BLOCK_FRAMES} frames; a seeded hash draws one frame of each
 * ({@linkcode negativeFrame}). A prediction made at frame s competes with the draws of the last
 * {@linkcode SCORE_NEGATIVES} blocks that were complete at s: nothing of the future, so that any
 * chunking gives the same scores.
 */

/** M: negatives of every score. */
export const SCORE_NEGATIVES = 16;
/** Frames of a block, of which one is drawn. */
export const SCORE_BLOCK_FRAMES = 8;
/** The seed of the draws: "CPC1". */
const SEED = 0x43504331;

/** The frame drawn from block `block` (frames 8 · block … 8 · block + 7). */
export function negativeFrame(block: number): number {
  let x = Math.imul(SEED + block, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
  return block * SCORE_BLOCK_FRAMES + ((x ^ (x >>> 13)) >>> 29);
}

/**
 * The first of the {@linkcode SCORE_NEGATIVES} blocks whose draws a prediction made at `frame`
 * competes with.
 */
export function firstNegativeBlock(frame: number): number {
  return Math.floor((frame + 1) / SCORE_BLOCK_FRAMES) - SCORE_NEGATIVES;
}

/**
 * The first frame whose predictions have all their negatives, if `since` was the first one heard.
 */
export function firstScorableFrame(since: number): number {
  return (Math.ceil(since / SCORE_BLOCK_FRAMES) + SCORE_NEGATIVES) * SCORE_BLOCK_FRAMES - 1;
}
