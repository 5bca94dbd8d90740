/** What tfjs-node 4.22 needs around it to load in Deno. */
import type { createRequire } from "node:module";
import util from "node:util";

const removed = {
  isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
  isArray: Array.isArray,
};

/**
 * Restores the functions of node:util that it calls and that Node 23 and Deno no longer have.
 * Existing ones stay.
 */
export function restoreNodeUtil(): void {
  for (const [name, value] of Object.entries(removed)) {
    if (!(name in util)) {
      Object.defineProperty(util, name, { value, configurable: true, writable: true });
    }
  }
}

/**
 * Tells the package where its compiled binding is. It would ask `@mapbox/node-pre-gyp`, an
 * installer that reads the whole environment. An answer in the module cache, in its place, needs no
 * permission and halves the time to load.
 *
 * @param require of the folder that holds the package
 * @param options `packageName`; `binding`: path of the `.node` file
 */
export function provideBinding(
  require: ReturnType<typeof createRequire>,
  { packageName, binding }: { packageName: string; binding: string },
): void {
  const [id] = [packageName, "@mapbox/node-pre-gyp"].reduce<string[]>(
    (paths, name) => [require.resolve(name, paths.length > 0 ? { paths } : undefined)],
    [],
  );
  require.cache[id] = {
    id,
    filename: id,
    path: id,
    loaded: true,
    exports: { find: () => binding },
    children: [],
    paths: [],
    isPreloading: false,
    parent: null,
    require,
  };
}
