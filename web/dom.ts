/** Elements of the page, typed. */

/**
 * An element of the page.
 *
 * @throws {TypeError} if the page has none of that kind, so that page and script do not match
 */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new TypeError(`the page has no ${kind.name} #${id}`);
  return element;
}

/** Writes a text into an element of the page. */
export function write(id: string, text: string): void {
  byId(id, HTMLElement).textContent = text;
}
