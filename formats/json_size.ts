/** How much a JSON text holds, told without parsing it. */

/** Most of what a text may hold. */
export interface JsonBounds {
  /** Commas: items of lists and members of objects, but for the first of each. */
  readonly items: number;
  /** Lists and objects. */
  readonly lists: number;
  /** Members of objects: a new name takes V8 a hundred times as long as an item. */
  readonly members: number;
}

const [QUOTE, BACKSLASH, COMMA, COLON, LIST, OBJECT] = [0x22, 0x5c, 0x2c, 0x3a, 0x5b, 0x7b];

/** Whether a JSON text stays within bounds; of another text, whether it looks so. */
export function isWithin(text: string, { items, lists, members }: JsonBounds): boolean {
  let isString = false;
  for (let i = 0; i < text.length && Math.min(items, lists, members) >= 0; i++) {
    const character = text.charCodeAt(i);
    if (character === QUOTE) isString = !isString;
    else if (isString) i += Number(character === BACKSLASH);
    else if (character === COMMA) items--;
    else if (character === COLON) members--;
    else if (character === LIST || character === OBJECT) lists--;
  }
  return Math.min(items, lists, members) >= 0;
}
