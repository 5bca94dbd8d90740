/** Progress of `deno task embed`, on a terminal. */
import { terminalBar } from "../progress.ts";

/** A bar over many files, each of which counts the same. */
export class EmbedProgress {
  readonly #bar = terminalBar("{bar} {percentage} % | {done} of {files} files | {file}");
  readonly #files: number;
  #done = 0;

  constructor(files: number) {
    this.#files = files;
    this.#bar?.start(files, 0, { done: 0, files, file: "" });
  }

  /**
   * Begins files that have so many frames together.
   *
   * @returns what to call for every few frames
   */
  begin(
    { file, files, frames }: { file: string; files: number; frames: number },
  ): (count: number) => void {
    this.#bar?.update({ file });
    return (count) => this.#bar?.increment(files * count / frames);
  }

  /** A file is done, or has failed. */
  end(): void {
    this.#bar?.update({ done: ++this.#done, files: this.#files });
  }

  stop(): void {
    this.#bar?.stop();
  }
}
