/** Base64 in a JSON string → bytes, as its characters arrive. */

/**
 * Decodes one string; whitespace between characters is skipped, as `Uint8Array.fromBase64` does.
 */
export class Base64Decoder {
  #held = "";

  /**
   * The bytes of all characters but the last few, which may be the padded end.
   *
   * @throws {SyntaxError} for anything but base64
   */
  push(text: string): Uint8Array<ArrayBuffer> {
    const known = this.#held + text.replace(/[\t\n\f\r ]+/g, "");
    const whole = Math.floor(Math.max(0, known.length - 1) / 4) * 4;
    this.#held = known.slice(whole);
    const bytes = Uint8Array.fromBase64(known.slice(0, whole), { lastChunkHandling: "strict" });
    if (bytes.length !== whole / 4 * 3) throw new SyntaxError("padding before the end");
    return bytes;
  }

  /**
   * The bytes of the last characters.
   *
   * @throws {SyntaxError} for anything but the end of base64
   */
  end(): Uint8Array<ArrayBuffer> {
    return Uint8Array.fromBase64(this.#held, { lastChunkHandling: "strict" });
  }
}
