/**
 * Recordings in JSON, `{"input": ["<base64>", …]}` or `{"input": "<base64>"}`, as it arrives.
 *
 * The strings of `input` are decoded piece by piece and never held as text; a tokenizer of JSON
 * would keep each whole. What is left without them is short, and goes through `JSON.parse`, which
 * sees to the grammar.
 */
import { Buffer } from "node:buffer";
import { LIMITS } from "../config/limits.ts";
import { CpcError } from "../errors.ts";
import type { EncodedFile } from "../recordings/encoded_file.ts";
import { Base64Decoder } from "./base64_clip.ts";
import type { ClipFiles } from "./clip_files.ts";

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const WHITESPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
/** What a JSON string holds only as an escape: RFC 8259, section 7. */
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f]/;
/** Deepest nesting: an option may be a list. */
const MAX_DEPTH = 8;

/** Reads one JSON body. */
export class ClipJson {
  readonly #clips: ClipFiles;
  /** The body with its recordings left out. */
  readonly #rest = new Uint8Array(LIMITS.optionBytes);
  #restLength = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #stringAt = 0;
  /** The last string between the members of the outer object, as written. */
  #name = "";
  /** `input` was read, and its list is next. */
  #awaitsList = false;
  #inInput = false;
  #clip: { readonly file: EncodedFile; readonly base64: Base64Decoder; escape: string } | undefined;

  constructor(clips: ClipFiles) {
    this.#clips = clips;
  }

  /** @throws {CpcError} at the first fault */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#clip) at = this.#pushClip(bytes, at);
      else this.#pushRest(bytes[at++]!);
    }
  }

  /**
   * The members beside `input`.
   *
   * @throws {CpcError} `invalid_message` unless the body was whole
   */
  end(): [name: string, value: unknown][] {
    let json: unknown;
    try {
      const text = new TextDecoder("utf-8", { fatal: true });
      json = JSON.parse(text.decode(this.#rest.subarray(0, this.#restLength)));
    } catch {
      throw notJson();
    }
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    if (!isObject || this.#clips.files.length === 0) throw noClips();
    return Object.entries(json as object).filter(([name]) => name !== "input");
  }

  #pushRest(byte: number): void {
    if (this.#restLength === this.#rest.length) {
      throw new CpcError(
        "too_large",
        `a JSON body may have up to ${LIMITS.optionBytes} bytes beside its recordings`,
      );
    }
    this.#rest[this.#restLength++] = byte;
    if (this.#inString) return this.#pushString(byte);
    if (WHITESPACE.has(byte)) return;
    if (this.#awaitsList) {
      if (byte !== OPEN_LIST && byte !== QUOTE) throw noClips();
      if (this.#clips.files.length > 0) throw notJson(": it has input twice");
    }
    const isOnly = this.#awaitsList && byte === QUOTE;
    const isItem = isOnly || this.#inInput && this.#depth === 2;
    if (isItem && ![QUOTE, COMMA, CLOSE_LIST].includes(byte)) {
      const place = `input[${this.#clips.files.length}]`;
      throw new CpcError("invalid_message", `${place} is not a string of base64`, { param: place });
    }
    switch (byte) {
      case QUOTE:
        this.#awaitsList = false;
        this.#inString = !isItem;
        this.#stringAt = this.#restLength - 1;
        if (isItem) {
          this.#clip = { file: this.#clips.begin(), base64: new Base64Decoder(), escape: "" };
        }
        break;
      case COLON:
        if (this.#depth === 1) this.#awaitsList = this.#name === "input";
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        if (++this.#depth > MAX_DEPTH) throw notJson(`: it nests more than ${MAX_DEPTH} deep`);
        if (this.#depth === 1 && byte === OPEN_LIST) throw noClips();
        if (this.#awaitsList) this.#inInput = true;
        this.#awaitsList = false;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        if (--this.#depth < 2) this.#inInput = false;
    }
  }

  #pushString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) {
      this.#inString = false;
      if (this.#depth !== 1) return;
      const text = this.#rest.subarray(this.#stringAt, this.#restLength);
      this.#name = parsedString(new TextDecoder().decode(text));
    }
  }

  /** Takes the part of a recording that is there; returns where it ends. */
  #pushClip(bytes: Uint8Array<ArrayBuffer>, from: number): number {
    const clip = this.#clip!;
    let text: string;
    let [end, ended] = endOfString(bytes, from);
    if (clip.escape === "" && !bytes.subarray(from, end).includes(BACKSLASH)) {
      text = latin1(bytes.subarray(from, end));
    } else {
      ({ text, end, ended } = unescaped(bytes, from, clip));
    }
    if (CONTROL.test(latin1(bytes.subarray(from, end)))) {
      const place = `input[${this.#clips.files.length - 1}]`;
      throw notJson(`: ${place} has a line break or another control character that is not escaped`);
    }
    try {
      clip.file.append(clip.base64.push(text));
      if (ended) clip.file.append(clip.base64.end());
    } catch (error) {
      if (error instanceof CpcError) throw error;
      const place = `input[${this.#clips.files.length - 1}]`;
      throw new CpcError("invalid_audio", `${place} is not base64`, { param: place });
    }
    if (!ended) return end;
    this.#clip = undefined;
    this.#pushEndOfClip();
    return end + 1;
  }

  /** In the rest, each recording is an empty string. */
  #pushEndOfClip(): void {
    this.#inString = true;
    this.#pushRest(QUOTE);
  }
}

/** Where a string's closing quote is, if nothing in it is escaped; else the end of the bytes. */
function endOfString(bytes: Uint8Array, from: number): [end: number, ended: boolean] {
  const quote = bytes.indexOf(QUOTE, from);
  return quote < 0 ? [bytes.length, false] : [quote, true];
}

/**
 * A string with its escapes read.
 *
 * @param state `escape`: one that began in the bytes before and goes on in the next
 */
function unescaped(
  bytes: Uint8Array,
  from: number,
  state: { escape: string },
): { text: string; end: number; ended: boolean } {
  let text = "";
  let plainAt = from;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (state.escape !== "") {
      state.escape += String.fromCharCode(byte);
      plainAt = at + 1;
      if (state.escape.length < (state.escape[1] === "u" ? 6 : 2)) continue;
      text += parsedString(`"${state.escape}"`);
      state.escape = "";
    } else if (byte === BACKSLASH || byte === QUOTE) {
      text += latin1(bytes.subarray(plainAt, at));
      if (byte === QUOTE) return { text, end: at, ended: true };
      state.escape = "\\";
      plainAt = at + 1;
    }
  }
  return { text: text + latin1(bytes.subarray(plainAt)), end: bytes.length, ended: false };
}

/** One character for each byte; those above 127 are not base64 in any case. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** A JSON string's value. @throws {CpcError} `invalid_message` */
function parsedString(json: string): string {
  try {
    return String(JSON.parse(json));
  } catch {
    throw notJson();
  }
}

function notJson(why = ""): CpcError {
  return new CpcError("invalid_message", `the body is not JSON${why}`);
}

function noClips(): CpcError {
  const why = 'the body is not {"input": ["<base64 of an audio file>", …]} with at least one file';
  return new CpcError("invalid_message", why, { param: "input" });
}
