/** The C library of this system: what Deno has no call for. */

/** Its name, by system. */
const NAMES: Partial<Record<typeof Deno.build.os, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.dylib",
};

/**
 * Loads functions of the C library.
 *
 * @returns undefined where it has another name, lacks one of them, or may not be loaded
 */
export function openCLibrary<const F extends Deno.ForeignLibraryInterface>(
  functions: F,
): Deno.DynamicLibrary<F> | undefined {
  const name = NAMES[Deno.build.os];
  if (name === undefined) return undefined;
  try {
    return Deno.dlopen(name, functions);
  } catch {
    return undefined;
  }
}
