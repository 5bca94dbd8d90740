/** Shares out the places for what waits for a resume, so that nobody pushes out what others left. */

/** Something of a session that waits without a socket. */
export interface Waiting {
  /** Among whom the places are shared out. */
  readonly client: string;
  /** What it counts as. */
  readonly streams: number;
  /** Its client loses nothing. */
  readonly isUnheard: boolean;
}

/** What they count as together. */
export function countOf(waiting: readonly Pick<Waiting, "streams">[]): number {
  return waiting.reduce((sum, { streams }) => sum + streams, 0);
}

/**
 * What goes where too much waits: the oldest that has heard nothing, else the oldest of the client
 * who has most.
 *
 * @param waiting oldest first
 */
export function firstToGo<W extends Waiting>(waiting: readonly W[]): W | undefined {
  const unheard = waiting.find(({ isUnheard }) => isUnheard);
  if (unheard || waiting.length === 0) return unheard;
  const byClient = [...Map.groupBy(waiting, ({ client }) => client).values()];
  return byClient.reduce((a, b) => countOf(b) > countOf(a) ? b : a)[0];
}
