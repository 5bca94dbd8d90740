/** Recordings in a form, as it arrives: its parts named `file`. */
import { Busboy } from "@fastify/busboy";
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import type { ClipFiles } from "./clip_files.ts";

/** Bytes parsed at once: few, since each part in them costs far more than its bytes. */
const STEP_BYTES = 8 * 1024;

/** Reads one form. */
export class ClipForm {
  readonly #clips: ClipFiles;
  readonly #form: InstanceType<typeof Busboy>;
  readonly #finished = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param contentType with its boundary
   * @param add receives the other fields
   * @throws {CpcError} `invalid_message` without a boundary
   */
  constructor(
    clips: ClipFiles,
    { contentType, add }: {
      contentType: string;
      add: (name: string, value: string) => void;
    },
  ) {
    this.#clips = clips;
    this.#finished.promise.catch(() => {}); // nobody may be waiting
    try {
      this.#form = Busboy({
        headers: { "content-type": contentType },
        isPartAFile: (name, _type, filename) => name === "file" || filename !== undefined,
        limits: {
          parts: LIMITS.clips + LIMITS.formFields,
          fields: LIMITS.formFields,
          fieldSize: LIMITS.optionBytes,
          headerSize: LIMITS.partHeadBytes,
          headerPairs: 16,
        },
      });
    } catch (error) {
      throw malformed(error);
    }
    this.#form.on("file", (name, part) => {
      part.on("error", (error) => this.#fail(malformed(error)));
      this.#try(() => {
        if (name !== "file") throw misnamed(name);
        const file = clips.begin();
        part.on("data", (bytes: Uint8Array) => this.#try(() => file.append(bytes)));
      });
      if (this.#failure) part.resume();
    });
    this.#form.on("field", (name, value, _nameCut, valueCut) =>
      this.#try(() => {
        if (valueCut) throw tooLong(name);
        add(name, value);
      }));
    for (const limit of ["partsLimit", "fieldsLimit"] as const) {
      this.#form.on(limit, () => this.#fail(tooMany()));
    }
    this.#form.on("error", (error) => this.#fail(malformed(error)));
    this.#form.on("finish", () => this.#finished.resolve());
  }

  /** @throws {CpcError} at the first fault */
  async push(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += STEP_BYTES) {
      const step = bytes.subarray(at, at + STEP_BYTES);
      await Promise.race([
        new Promise<void>((resolve) => this.#form.write(step, () => resolve())),
        this.#finished.promise,
      ]);
      if (this.#failure) throw this.#failure.error;
    }
  }

  /** @throws {CpcError} `invalid_message` unless the form was whole and held a recording */
  async end(): Promise<void> {
    this.#form.end();
    await this.#finished.promise;
    if (this.#failure) throw this.#failure.error;
    if (this.#clips.files.length === 0) throw noFile('the form has no part named "file"');
  }

  #try(work: () => void): void {
    if (this.#failure) return;
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#finished.reject(this.#failure.error);
  }
}

function malformed(error: unknown): CpcError {
  const why = (error as Error).message;
  return new CpcError("invalid_message", `the multipart body is malformed: ${why}`);
}

function misnamed(name: string): CpcError {
  const why = `part ${name} is a file; parts with recordings are named "file"`;
  return new CpcError("invalid_option", why, { param: name });
}

function tooLong(name: string): CpcError {
  const why = `field ${name} has more than ${LIMITS.optionBytes} bytes`;
  return new CpcError("too_large", why, { param: name });
}

function tooMany(): CpcError {
  const why = `a form takes up to ${LIMITS.clips} recordings and ${LIMITS.formFields} fields`;
  return new CpcError("too_large", why);
}

function noFile(why: string): CpcError {
  return new CpcError("invalid_message", why, { param: "file" });
}
