/** Frames that have come and wait for their reader. */
import type { Frames } from "./frames.ts";

/** A queue of frames with one reader; what holds too many asks for a pause. */
export class Unread {
  #queue: Frames[] = [];
  #rows = 0;
  #isRead = false;
  #wake: () => void = () => {};

  /** Rows that a reader has left unread; 0 where nobody reads. */
  get rowsBehind(): number {
    return this.#isRead ? this.#rows : 0;
  }

  push(frames: Frames): void {
    this.#queue.push(frames);
    this.#rows += frames.count;
    this.#wake();
  }

  /** Lets the reader see that the stream has ended. */
  wake(): void {
    this.#wake();
  }

  /**
   * Frames until the stream has ended and none is left.
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
