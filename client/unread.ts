/** Received frames that wait for their reader. */
import type { Frames } from "./frames.ts";

/** A queue of frames with one reader. */
export class Unread {
  #queue: Frames[] = [];
  #rows = 0;
  #isRead = false;
  #wake: () => void = () => {};

  /** Number of unread rows; 0 if nobody reads. */
  get rowsBehind(): number {
    return this.#isRead ? this.#rows : 0;
  }

  push(frames: Frames): void {
    this.#queue.push(frames);
    this.#rows += frames.count;
    this.#wake();
  }

  /** Tells the reader that the stream has ended. */
  wake(): void {
    this.#wake();
  }

  /**
   * Yields frames until the stream has ended and none is left.
   *
   * @param stream `isEnded`, and what to do after each
   */
  async *read(
    { isEnded, isRead }: { isEnded: () => boolean; isRead: () => void },
  ): AsyncGenerator<Frames, void, undefined> {
    this.#isRead = true;
    try {
      for (;;) {
        const frames = this.#queue.shift();
        if (frames) {
          this.#rows -= frames.count;
          yield frames;
          isRead();
        } else if (isEnded()) return;
        else await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      this.#isRead = false;
    }
  }
}
