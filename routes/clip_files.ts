/** The recordings of a body, counted as they are found. */
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import { EncodedFile } from "../recordings/encoded_file.ts";
import type { MemoryShare } from "../recordings/memory_budget.ts";

/** Recordings, and the memory that they are accounted for in. */
export class ClipFiles {
  readonly files: EncodedFile[] = [];
  readonly #memory: MemoryShare | undefined;

  constructor(memory?: MemoryShare) {
    this.#memory = memory;
  }

  /**
   * A new recording, still empty.
   *
   * @throws {CpcError} `too_large` for one too many
   */
  begin(): EncodedFile {
    if (this.files.length === LIMITS.clips) {
      throw new CpcError("too_large", `a request takes up to ${LIMITS.clips} recordings, got more`);
    }
    const file = new EncodedFile(this.#memory);
    this.files.push(file);
    return file;
  }
}
