/** Functions of node:util that tfjs-node 4.22 calls and that Node 23 and Deno no longer have. Import before the package. */
import util from "node:util";

const removed = {
  isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
  isArray: Array.isArray,
};

/** Puts back what is missing; what is there stays. */
export function restoreNodeUtil(): void {
  for (const [name, value] of Object.entries(removed)) {
    if (!(name in util)) Object.defineProperty(util, name, { value, configurable: true, writable: true });
  }
}
