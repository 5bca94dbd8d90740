/**
 * What waits for a resume. Its places are shared out so that nobody pushes out what others left;
 * thousands may come within a moment, when a proxy dies.
 */

/** Something of a session that waits without a socket. None of it changes meanwhile. */
export interface Waiting {
  /** Among whom the places are shared out. */
  readonly client: string;
  /** What it counts as. */
  readonly streams: number;
  /** Its client loses nothing. */
  readonly isUnheard: boolean;
}

interface OfClient<W> {
  readonly waiting: Set<W>;
  streams: number;
}

/** Those that wait, oldest first. */
export class WaitingList<W extends Waiting> {
  readonly #all = new Set<W>();
  readonly #unheard = new Set<W>();
  readonly #byClient = new Map<string, OfClient<W>>();
  #streams = 0;

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** What they count as together. */
  get streams(): number {
    return this.#streams;
  }

  /** Adds the youngest. */
  add(one: W): void {
    const { client, streams, isUnheard } = one;
    this.#all.add(one);
    if (isUnheard) this.#unheard.add(one);
    const own = this.#byClient.get(client) ?? { waiting: new Set(), streams: 0 };
    this.#byClient.set(client, own);
    own.waiting.add(one);
    own.streams += streams;
    this.#streams += streams;
  }

  /** It waits no more. */
  remove(one: W): void {
    if (!this.#all.delete(one)) return;
    const { client, streams } = one;
    this.#unheard.delete(one);
    this.#streams -= streams;
    const own = this.#byClient.get(client)!; // it was added with it
    own.waiting.delete(one);
    own.streams -= streams;
    if (own.waiting.size === 0) this.#byClient.delete(client);
  }

  /**
   * What goes where too much waits: the oldest that has heard nothing, else the oldest of the
   * client who has most; of clients who have as much, the one who came first.
   */
  get firstToGo(): W | undefined {
    const [unheard] = this.#unheard;
    if (unheard) return unheard;
    let most: OfClient<W> | undefined;
    for (const own of this.#byClient.values()) {
      if (!most || own.streams > most.streams) most = own;
    }
    return most?.waiting.values().next().value;
  }

  /** Oldest first. */
  [Symbol.iterator](): IterableIterator<W> {
    return this.#all.values();
  }
}
