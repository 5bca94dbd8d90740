/** The rate of rows, which a file does not state: it follows from the convolution's kernel. */
import { refuse } from "../checkpoints/refuse.ts";
import { rowsPerSecond, type VapSizes } from "./network.ts";

/**
 * Checks that a network's rate is the one that its user or its file's name says.
 *
 * @param options `file`: the file's name; `said`: rows per second, as the user says
 * @throws {CpcError} `checkpoint_invalid` if it is another: then its convolution overlaps or is
 *   padded, or the name is wrong
 */
export function checkRate(
  sizes: VapSizes,
  { file, said }: { file: string; said?: number },
): void {
  const rate = rowsPerSecond(sizes);
  const named = /(?<![\d.])(\d+(?:\.\d+)?)[ _-]?hz/i.exec(file)?.[1];
  const expected = said ?? (named === undefined ? rate : Number(named));
  if (Math.abs(expected - rate) < 1e-6) return;
  refuse(
    `${said === undefined ? "its name says" : "--frame-rate says"} ${expected} Hz, but its ` +
      `convolution of kernel ${sizes.every} gives ${rate} rows a second, each of ` +
      `${sizes.every} frames and no others. ` +
      "A convolution that is padded or overlaps (ErikEkstedt/VoiceActivityProjection: kernel " +
      "5 at 50 Hz; live 10 Hz with kernel 5) is not supported" +
      (said === undefined ? `; if the name is wrong, say --frame-rate ${rate}` : ""),
  );
}

/**
 * N, the rows that a network attends to.
 *
 * @param seconds of audio
 */
export function windowRowsOf(sizes: VapSizes, seconds: number): number {
  return Math.max(1, Math.round(seconds * rowsPerSecond(sizes)));
}
