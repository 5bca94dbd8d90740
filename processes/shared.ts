/** Work that several ask for at once. */

/**
 * Has work done for all who ask while the same work is under way: they share the next result, which
 * is as new as each of them may expect.
 */
export function shared<T>(work: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    next = undefined;
    const now = work();
    last = now.catch(() => {});
    return now;
  };
  return () => next ??= last.then(begin);
}
