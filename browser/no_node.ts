/**
 * In place of modules of `node:` that code for servers imports: the bundler drops what a browser
 * never calls, and this file with it.
 */
import { CpcError } from "../errors.ts";

function missing(): never {
  throw new CpcError("internal", "this is not for browsers");
}

export const basename = missing;
export const join = missing;
export const resolve = missing;
