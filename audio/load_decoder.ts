/** Decoders are modules that are loaded beside everything else. */
import { CpcError } from "../errors.ts";

/**
 * Loads a decoder.
 *
 * @throws {CpcError} `overloaded` if that fails: no fault of the file
 */
export async function loadDecoder<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    throw new CpcError("overloaded", "the server cannot load a decoder now; try again later", {
      cause,
      retryAfterMs: 1000,
    });
  }
}
