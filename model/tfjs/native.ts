/** Where TensorFlow.js's native packages lie. It loads none of them. */

/** A native package. */
export type NativePackage = "tfjs-node-gpu" | "tfjs-node";

/**
 * The folder of `deno task setup:tfjs`: `.tfjs/` at the project's root, with `cpu/` and `gpu/`
 * inside.
 */
export const NATIVE_FOLDER = new URL("../../.tfjs/", import.meta.url);

/** Written last into `cpu/` or `gpu/`, so that the build is known to be complete. */
export const NATIVE_STAMP = ".ready";
/** The compiled binding's file in `cpu/` or `gpu/`. */
export const NATIVE_BINDING = "tfjs_binding.node";

/**
 * How a package is installed: built into a folder of {@linkcode NATIVE_FOLDER}, or without one, in
 * the project's node_modules; undefined when it is not.
 */
export function installedAs(name: NativePackage): { readonly folder?: URL } | undefined {
  const folder = new URL(`${name === "tfjs-node" ? "cpu" : "gpu"}/`, NATIVE_FOLDER);
  if (exists(new URL(NATIVE_STAMP, folder))) return { folder };
  const official = new URL(`../../node_modules/@tensorflow/${name}/lib/`, import.meta.url);
  return exists(official) ? {} : undefined;
}

function exists(url: URL): boolean {
  try {
    Deno.statSync(url);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
