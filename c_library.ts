/** The C library of this system: what Deno has no call for. */

/** Its name, by system. */
const NAMES: Partial<Record<typeof Deno.build.os, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.dylib",
};

/**
 * Functions of the C library, for good.
 *
 * @returns undefined where it has another name, lacks one of them, or may not be loaded
 */
export function cFunctions<const F extends Deno.ForeignLibraryInterface>(
  functions: F,
): Deno.DynamicLibrary<F>["symbols"] | undefined {
  const name = NAMES[Deno.build.os];
  if (name === undefined) return undefined;
  try {
    return Deno.dlopen(name, functions).symbols;
  } catch {
    return undefined;
  }
}
