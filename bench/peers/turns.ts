/** Measurements that take turns, so that other work on the machine meets all of them alike. */

/** Gives everybody who waits one turn after the other. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Waits for everybody before, then works alone. */
  take<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {}); // the others go on
    return turn;
  }
}
